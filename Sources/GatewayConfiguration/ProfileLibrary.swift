// Finds profiles by `id@majorVersion` in the folders of the site and of the system. Parses only what is used.

/// The profiles of one load. The folders of the site come first: a plant's own copy shadows the shipped one.
final class ProfileLibrary {
    private static let noVersion = -1

    private struct Entry {
        let file: String
        let name: ProfileName
    }

    private let folders: [[String]]
    private let interpolation: Interpolation
    private let problems: Problems
    /// One list per folder, in search order; made on first use.
    private lazy var entries: [[Entry]] = folders.map { files in files.compactMap(Self.entry) }
    private var trees: [String: YAMLNode?] = [:]
    private var compiled: [String: DeviceProfile?] = [:]
    private(set) var filesRead: [String] = []

    init(site folder: String, system: [String], interpolation: Interpolation, problems: Problems) {
        let join = ConfigurationFiles.joined
        folders =
            [
                ConfigurationFiles.yamlFiles(in: join(folder, "profiles"), recursively: true),
                ConfigurationFiles.yamlFiles(in: join(folder, "profiles.d"), recursively: true),
                // Flat beside the site file: a configuration of one folder, such as the demo's.
                ConfigurationFiles.yamlFiles(in: folder.isEmpty ? "." : folder).map { path in
                    folder.isEmpty && path.hasPrefix("./") ? String(path.dropFirst(2)) : path
                },
            ] + system.map { ConfigurationFiles.yamlFiles(in: $0, recursively: true) }
        self.interpolation = interpolation
        self.problems = problems
    }

    /// The compiled profile for a device.
    /// - Parameter overrides: the site's dotted keys for this one device.
    func profile(_ name: ProfileName, at place: Place, overrides: [YAMLEntry]) -> DeviceProfile? {
        guard let file = file(of: name, at: place), var tree = tree(of: file) else { return nil }
        if overrides.isEmpty, let known = compiled[file] { return known }
        let before = problems.errorCount
        for entry in overrides { override(&tree, with: entry, name) }
        guard problems.errorCount == before else { return nil }
        let profile = ProfileReader(problems: problems).read(tree)
        if overrides.isEmpty { compiled[file] = .some(profile) }
        return profile
    }

    /// The parts of a profile that a site may change for one device. Its identity is none of them.
    private static let overridable = ["tags", "groups", "limits", "byte_order", "invalid", "simulate", "derived"]

    private func override(_ tree: inout YAMLNode, with entry: YAMLEntry, _ name: ProfileName) {
        let path = entry.key.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard path.count <= 8, let first = path.first, Self.overridable.contains(first) else {
            let near = Suggestion.phrase(for: path.first ?? "", among: Self.overridable)
            problems.error(
                entry.place,
                "'\(entry.key)' can't be overridden"
                    + (near.isEmpty ? "; a site may override \(Self.overridable.listed)" : near))
            return
        }
        if let (missing, siblings) = tree.override(path[...], with: entry.value, at: entry.place) {
            problems.error(
                entry.place,
                "'\(entry.key)': \(name) has no '\(missing)'" + Suggestion.phrase(for: missing, among: siblings))
        }
    }

    private func tree(of file: String) -> YAMLNode? {
        if let tree = trees[file] { return tree }
        filesRead.append(file)
        let tree = YAMLFile(file: file, interpolation: interpolation, problems: problems).parse()
        trees[file] = .some(tree)
        return tree
    }

    private func file(of name: ProfileName, at place: Place) -> String? {
        for folder in entries {
            let matches = folder.filter { $0.name == name }
            guard let first = matches.first else { continue }
            if matches.count > 1 {
                problems.error(place, "\(name) is in \(matches.map(\.file).listed); one of them has to go")
            }
            return first.file
        }
        let known = Set(entries.joined().map(\.name))
        // A version that can't be read: its file is the one that is meant, and says so itself.
        let unversioned = ProfileName(id: name.id, major: Self.noVersion)
        if let entry = entries.joined().first(where: { $0.name == unversioned }) { return entry.file }
        let others = known.filter { $0.id == name.id }.map(\.major).sorted()
        if let newest = others.last {
            problems.error(place, "there is no profile \(name); there is \(name.id)@\(newest)")
        } else {
            let near = Suggestion.phrase(for: name.id, among: known.map(\.id).sorted())
            problems.error(place, "there is no profile \(name)\(near)")
        }
        return nil
    }

    /// Looks only for `kind`, `id` and `version` at the left edge: a library of 500 files takes milliseconds.
    private static func entry(_ file: String) -> Entry? {
        guard let bytes = try? ConfigurationFiles.read(file) else { return nil }
        var kind = ""
        var id = ""
        var version = ""
        // A lone \r ends a line too: Swift sees \r\n as one character, so bytes are split, not characters.
        for line in bytes.split(whereSeparator: { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }) {
            if kind.isEmpty { kind = value(of: "kind", in: line) ?? "" }
            if id.isEmpty { id = value(of: "id", in: line) ?? "" }
            if version.isEmpty { version = value(of: "version", in: line) ?? "" }
            if !kind.isEmpty && !id.isEmpty && !version.isEmpty { break }
        }
        guard kind == "DeviceProfile", !id.isEmpty else { return nil }
        return Entry(file: file, name: ProfileName(id: id, major: Int(version.prefix { $0 != "." }) ?? noVersion))
    }

    private static func value(of key: String, in line: ArraySlice<UInt8>) -> String? {
        guard line.starts(with: Array("\(key):".utf8)) else { return nil }
        var text = String(decoding: line.dropFirst(key.utf8.count + 1), as: UTF8.self)[...]
        if let comment = text.firstRange(of: " #") { text = text[..<comment.lowerBound] }
        let isPadding: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\"" || $0 == "'" }
        text = text.drop(while: isPadding)
        while let last = text.last, isPadding(last) { text = text.dropLast() }
        return String(text)
    }
}
