// Files and folders, as far as a configuration needs them: read whole, bounded, never followed for ever.

internal import Glibc

/// Reads the files of a configuration. Bounded in size, number and depth; what can't be read is a problem, not a crash.
package enum ConfigurationFiles {
    /// The largest file that is read. A profile of 5,000 tags takes 500 KiB.
    package static let bytes = 4 << 20
    /// Files in all folders of one search.
    private static let files = 5000
    /// Folders below a folder: `profiles/<vendor>/<model>.yaml` needs two.
    private static let depth = 8

    package struct ReadError: Error { package let message: String }

    /// The bytes of the file, at most `limit`.
    package static func read(_ path: String, limit: Int = bytes) throws(ReadError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw ReadError(message: reason(errno)) }
        defer { close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw ReadError(message: reason(errno)) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw ReadError(message: "not a plain file") }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while content.count <= limit {
            let got = unsafe chunk.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
            if got < 0 && errno == EINTR { continue }
            guard got >= 0 else { throw ReadError(message: reason(errno)) }
            if got == 0 { return content }
            content.append(contentsOf: chunk[..<got])
        }
        throw ReadError(message: "larger than \(limit >> 10) KiB")
    }

    /// Whether others than the owner may read or write the file.
    static func isOpenToOthers(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & 0o066 != 0
    }

    static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return unsafe stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }

    static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }

    /// The paths of the `.yaml` and `.yml` files in the folder, in lexical order; hidden ones are left out. A folder
    /// that doesn't exist has none.
    static func yamlFiles(in folder: String, recursively: Bool = false) -> [String] {
        var found: [String] = []
        collect(folder, recursively ? depth : 0, into: &found)
        return found
    }

    private static func collect(_ folder: String, _ levels: Int, into found: inout [String]) {
        for name in names(in: folder) where !name.hasPrefix(".") && found.count < files {
            let path = joined(folder, name)
            if name.hasSuffix(".yaml") || name.hasSuffix(".yml") {
                found.append(path)
            } else if levels > 0 && isFolder(path) {
                collect(path, levels - 1, into: &found)
            }
        }
    }

    private static func names(in folder: String) -> [String] {
        guard let stream = unsafe opendir(folder) else { return [] }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        while let entry = unsafe readdir(stream) {
            names.append(
                unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                    unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
                })
        }
        return names.sorted()
    }

    /// The folder of a file, empty for the working folder.
    static func folder(of file: String) -> String {
        guard let slash = file.lastIndex(of: "/") else { return "" }
        return slash == file.startIndex ? "/" : String(file[..<slash])
    }

    static func name(of file: String) -> String {
        String(file[(file.lastIndex(of: "/").map(file.index(after:)) ?? file.startIndex)...])
    }

    /// `folder/name`; no `./` before names of the working folder, so that problems show paths as they were typed.
    static func joined(_ folder: String, _ name: String) -> String {
        folder.isEmpty ? name : folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
    }

    private static func reason(_ code: Int32) -> String { unsafe String(cString: strerror(code)) }
}
