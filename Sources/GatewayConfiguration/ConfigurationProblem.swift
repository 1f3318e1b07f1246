// What is wrong with the operator's files: every problem has its place, and all are told at once.

/// One complaint about a configuration file, in the form that editors and CI understand.
package struct ConfigurationProblem: Error, Hashable, Comparable, Sendable, CustomStringConvertible {
    package enum Severity: String, Sendable { case error, warning }

    package var file: String
    /// From 1, as editors count.
    package var line: Int
    /// From 1, in Unicode scalars.
    package var column: Int
    package var severity: Severity
    package var message: String

    package init(file: String, line: Int, column: Int, severity: Severity, message: String) {
        self.file = file
        self.line = line
        self.column = column
        self.severity = severity
        self.message = message
    }

    package var description: String { "\(file):\(line):\(column): \(severity.rawValue): \(message)" }

    package static func < (left: Self, right: Self) -> Bool {
        (left.file, left.line, left.column, left.severity.rawValue, left.message)
            < (right.file, right.line, right.column, right.severity.rawValue, right.message)
    }
}

/// A configuration that can't be used. Holds every problem, warnings included, sorted by place.
package struct ConfigurationError: Error, Equatable, Sendable, CustomStringConvertible {
    package var problems: [ConfigurationProblem]

    package init(problems: [ConfigurationProblem]) { self.problems = problems.sorted() }

    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// A place in a file.
struct Place: Hashable, Sendable, CustomStringConvertible {
    var file: String
    var line: Int
    var column: Int

    init(_ file: String, _ line: Int = 1, _ column: Int = 1) {
        self.file = file
        self.line = line
        self.column = column
    }

    var description: String { "\(file):\(line):\(column)" }

    /// For a message at `other` that points here: `line 12` within one file, the whole place otherwise.
    func seen(from other: Place) -> String { other.file == file ? "line \(line)" : description }
}

/// The problems found so far. Owned by one load; the same problem is kept once, because a profile that twenty devices
/// use is compiled twenty times.
final class Problems {
    /// A file of garbage needs no longer list than this to be recognised as one.
    private static let most = 1000
    private var found: Set<ConfigurationProblem> = []

    var all: [ConfigurationProblem] { found.sorted() }
    /// Errors so far, repeated ones included: a reader that compares it before and after sees its own.
    private(set) var errorCount = 0

    func error(_ place: Place, _ message: String) {
        errorCount += 1
        add(place, .error, message)
    }
    func warning(_ place: Place, _ message: String) { add(place, .warning, message) }

    private func add(_ place: Place, _ severity: ConfigurationProblem.Severity, _ message: String) {
        guard found.count < Self.most else { return }
        found.insert(
            ConfigurationProblem(
                file: place.file, line: place.line, column: place.column, severity: severity, message: message))
    }
}
