// The disk, one of the four doors: the few calls that the journal needs, so that a simulated disk can fail each.

internal import Glibc

/// A folder of plain files. Real: `POSIXDisk`; simulated, with torn and lost writes: `SimulatedDisk` in `Simulation`.
package protocol Disk: Sendable {
    associatedtype File: DiskFile
    /// The names of the files in the folder, sorted.
    func list() throws(DiskError) -> [String]
    /// Opens a file for reading and writing; with `create` a missing file is made, without it that is ENOENT. Where
    /// nothing may be written, an existing file is opened for reading alone, and writing to it fails.
    func open(_ name: String, create: Bool) throws(DiskError) -> File
    func rename(_ name: String, to newName: String) throws(DiskError)
    func remove(_ name: String) throws(DiskError)
    /// Makes names durable: a created, renamed or removed file is so only after this.
    func syncDirectory() throws(DiskError)
    /// Bytes that an unprivileged process may still write on this file system.
    func freeBytes() throws(DiskError) -> Int64
}

/// One open file. Closed when the last reference goes.
package protocol DiskFile: AnyObject, Sendable {
    /// Writes all of `bytes` at `offset`, or throws; a short write is an error.
    func write(_ bytes: RawSpan, at offset: Int64) throws(DiskError)
    /// Up to `count` bytes from `offset`; fewer at the end of the file.
    func read(count: Int, at offset: Int64) throws(DiskError) -> [UInt8]
    /// fdatasync: what was written before is on the device when it returns. Never call it again on a file after it
    /// failed: the kernel may have marked the lost pages clean.
    func sync() throws(DiskError)
    func size() throws(DiskError) -> Int64
}

/// A failed call, as the system said it.
package struct DiskError: Error, Equatable, CustomStringConvertible {
    package var operation: String
    package var file: String
    /// POSIX errno.
    package var code: Int32

    package init(operation: String, file: String, code: Int32) {
        self.operation = operation
        self.file = file
        self.code = code
    }

    package var description: String { "\(operation) \(file): \(unsafe String(cString: strerror(code)))" }
}

/// The folder `path` of the real file system.
package struct POSIXDisk: Disk {
    package let path: String
    private let isReadOnly: Bool

    /// For those who only look: the folder must be there, and nothing in it can be changed.
    package init(readOnly path: String) throws(DiskError) {
        self.path = path
        isReadOnly = true
        guard unsafe access(path, R_OK | X_OK) == 0 else {
            throw DiskError(operation: "open", file: path, code: errno)
        }
    }

    /// Makes the folder (0700) when it is missing.
    package init(path: String) throws(DiskError) {
        self.path = path
        isReadOnly = false
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw DiskError(operation: "mkdir", file: path, code: errno)
        }
    }

    package func list() throws(DiskError) -> [String] {
        guard let folder = unsafe opendir(path) else { throw DiskError(operation: "opendir", file: path, code: errno) }
        defer { unsafe closedir(folder) }
        var names: [String] = []
        while let entry = unsafe readdir(folder) {
            let name = unsafe withUnsafeBytes(of: &entry.pointee.d_name) { raw in
                unsafe String(decoding: raw.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    package func open(_ name: String, create: Bool) throws(DiskError) -> POSIXFile {
        guard !isReadOnly || !create else { throw DiskError(operation: "create", file: name, code: EROFS) }
        let flags = (isReadOnly ? O_RDONLY : O_RDWR) | O_CLOEXEC | (create ? O_CREAT : 0)
        var descriptor = unsafe Glibc.open("\(path)/\(name)", flags, 0o600)
        if descriptor < 0, !create, errno == EROFS || errno == EACCES {
            descriptor = unsafe Glibc.open("\(path)/\(name)", O_RDONLY | O_CLOEXEC)
        }
        guard descriptor >= 0 else { throw DiskError(operation: "open", file: name, code: errno) }
        return POSIXFile(name: name, descriptor: descriptor)
    }

    package func rename(_ name: String, to newName: String) throws(DiskError) {
        guard !isReadOnly else { throw DiskError(operation: "rename", file: name, code: EROFS) }
        guard unsafe Glibc.rename("\(path)/\(name)", "\(path)/\(newName)") == 0 else {
            throw DiskError(operation: "rename", file: name, code: errno)
        }
    }

    package func remove(_ name: String) throws(DiskError) {
        guard !isReadOnly else { throw DiskError(operation: "unlink", file: name, code: EROFS) }
        guard unsafe unlink("\(path)/\(name)") == 0 else {
            throw DiskError(operation: "unlink", file: name, code: errno)
        }
    }

    package func syncDirectory() throws(DiskError) {
        guard !isReadOnly else { return }
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw DiskError(operation: "open", file: path, code: errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw DiskError(operation: "fsync", file: path, code: errno) }
    }

    package func freeBytes() throws(DiskError) -> Int64 {
        var status = statvfs()
        guard unsafe statvfs(path, &status) == 0 else {
            throw DiskError(operation: "statvfs", file: path, code: errno)
        }
        return Int64(status.f_bavail) * Int64(status.f_frsize)
    }
}

package final class POSIXFile: DiskFile {
    private let name: String
    private let descriptor: Int32

    fileprivate init(name: String, descriptor: Int32) {
        self.name = name
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    package func write(_ bytes: RawSpan, at offset: Int64) throws(DiskError) {
        let code: Int32 = unsafe bytes.withUnsafeBytes { raw in
            var done = 0
            while done < raw.count {
                let written = unsafe pwrite(descriptor, raw.baseAddress! + done, raw.count - done, Int(offset) + done)
                if written < 0 && errno == EINTR { continue }
                // A short write is followed by the error that caused it; 0 would loop for ever.
                if written <= 0 { return written < 0 ? errno : EIO }
                done += written
            }
            return 0
        }
        guard code == 0 else { throw DiskError(operation: "pwrite", file: name, code: code) }
    }

    package func read(count: Int, at offset: Int64) throws(DiskError) -> [UInt8] {
        var code: Int32 = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            while initialized < buffer.count {
                let got = unsafe pread(
                    descriptor, buffer.baseAddress! + initialized, buffer.count - initialized,
                    Int(offset) + initialized)
                if got < 0 && errno == EINTR { continue }
                if got < 0 { code = errno }
                if got <= 0 { break }
                initialized += got
            }
        }
        guard code == 0 else { throw DiskError(operation: "pread", file: name, code: code) }
        return bytes
    }

    package func sync() throws(DiskError) {
        guard fdatasync(descriptor) == 0 else { throw DiskError(operation: "fdatasync", file: name, code: errno) }
    }

    package func size() throws(DiskError) -> Int64 {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw DiskError(operation: "fstat", file: name, code: errno)
        }
        return Int64(status.st_size)
    }
}
