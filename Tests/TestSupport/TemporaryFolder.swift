// A folder of the real file system that a test takes away again.

internal import Glibc

package final class TemporaryFolder {
    package let path: String

    package init() throws {
        var template = Array("/tmp/lineside-XXXXXX".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { throw POSIXFailure(code: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        guard let folder = unsafe opendir(path) else { return }
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            unsafe unlink("\(path)/\(name)")
        }
        unsafe closedir(folder)
        unsafe rmdir(path)
    }
}

/// A system call that failed.
package struct POSIXFailure: Error {
    package let code: Int32
    package init(code: Int32) { self.code = code }
}
