// `${NAME}` in values: put in after parsing, so that a variable can never change the structure of a file.

/// Puts environment variables into a value: `${NAME}`, `${NAME:-default}`, `${NAME:?message}`; `$$` is one `$`.
struct Interpolation {
    let environment: [String: String]

    struct Problem: Error { let message: String }

    func filled(_ text: String) throws(Problem) -> String {
        guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
        var result = ""
        var rest = text[...]
        while let dollar = rest.firstIndex(of: "$") {
            result += rest[..<dollar]
            rest = rest[dollar...].dropFirst()
            if rest.first == "$" {
                result += "$"
                rest = rest.dropFirst()
            } else if rest.first == "{" {
                guard let end = rest.firstIndex(of: "}") else {
                    throw Problem(message: "'${' without '}'; write '$$' for a plain '$'")
                }
                result += try value(of: rest[..<end].dropFirst())
                rest = rest[end...].dropFirst()
            } else {
                // A lone dollar is itself: JSON paths begin with one.
                result += "$"
            }
        }
        return result + rest
    }

    private func value(of reference: Substring) throws(Problem) -> String {
        let name = reference.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        let operation = reference[name.endIndex...]
        guard let first = name.first, !first.isNumber else {
            throw Problem(message: "expected a variable such as ${NAME} or ${NAME:-default}, found '${\(reference)}'")
        }
        let value = environment[String(name)]
        if operation.isEmpty {
            guard let value else {
                throw Problem(
                    message: "the environment variable \(name) isn't set; ${\(name):-default} would give it a default")
            }
            return value
        }
        if operation.hasPrefix(":-") {
            return value.flatMap { $0.isEmpty ? nil : $0 } ?? String(operation.dropFirst(2))
        }
        if operation.hasPrefix(":?") {
            guard let value, !value.isEmpty else { throw Problem(message: "\(name): \(operation.dropFirst(2))") }
            return value
        }
        throw Problem(message: "expected a variable such as ${NAME} or ${NAME:-default}, found '${\(reference)}'")
    }
}
