// The real disk behind its door.

import GatewayPlatform
import Glibc
import TestSupport
import Testing

@Suite("POSIXDisk") struct POSIXDiskTests {
    private let folder: TemporaryFolder
    private let disk: POSIXDisk

    init() throws {
        folder = try TemporaryFolder()
        disk = try POSIXDisk(path: folder.path)
    }

    private func write(_ text: String, to file: POSIXFile, at offset: Int64 = 0) throws {
        try file.write(unsafe Array(text.utf8).span.bytes, at: offset)
    }

    @Test("What is written is read back, over a hole of zeros and short at the end")
    func readAndWrite() throws {
        let file = try disk.open("a", create: true)
        try write("hello", to: file)
        try write("x", to: file, at: 8)
        try file.sync()
        #expect(try file.size() == 9)
        #expect(try disk.open("a", create: false).read(count: 100, at: 1) == Array("ello\0\0\0x".utf8))
        #expect(try file.read(count: 10, at: 9) == [] && file.read(count: 0, at: 0) == [])
    }

    @Test("Names are listed in order, renamed and removed; an open file outlives its name")
    func names() throws {
        for name in ["b", "a", ".c"] { _ = try disk.open(name, create: true) }
        #expect(try disk.list() == [".c", "a", "b"])
        try disk.rename("b", to: "d")
        let file = try disk.open("d", create: false)
        try disk.remove("d")
        try disk.syncDirectory()
        #expect(try disk.list() == [".c", "a"])
        try write("still", to: file)
        #expect(try file.read(count: 5, at: 0) == Array("still".utf8))
    }

    @Test("A failed call says which call, which file and the system's reason")
    func failures() throws {
        let missing = DiskError(operation: "open", file: "none", code: 2)
        #expect(throws: missing) { try disk.open("none", create: false) }
        #expect(missing.description == "open none: No such file or directory")
        #expect(throws: DiskError(operation: "unlink", file: "none", code: 2)) { try disk.remove("none") }
        #expect(throws: DiskError(operation: "rename", file: "none", code: 2)) { try disk.rename("none", to: "a") }
        #expect(throws: DiskError.self) { try POSIXDisk(path: folder.path + "/no/such") }
        let file = try disk.open("a", create: true)
        #expect(throws: DiskError(operation: "pwrite", file: "a", code: 22)) { try write("x", to: file, at: -1) }
        #expect(throws: DiskError(operation: "pread", file: "a", code: 22)) { try file.read(count: 1, at: -1) }
    }

    @Test("The folder is made when it is missing, and taken as it is when not")
    func makesFolder() throws {
        let inner = try POSIXDisk(path: folder.path + "/inner")
        #expect(try inner.list() == [])
        #expect(try POSIXDisk(path: folder.path + "/inner").freeBytes() > 0)
        try #require(throws: DiskError.self) { try disk.remove("inner") }
        unsafe _ = rmdir(folder.path + "/inner")
    }
}
