// What the block device under a folder was told to write, as the kernel counts it.

internal import GatewayPlatform
internal import Glibc

/// Sectors and flushes since the device came up. Worth something only where nobody else writes: a loop device of its own.
struct BlockDevice {
    struct Count {
        var bytes: UInt64
        var flushes: UInt64
    }

    let name: String
    private let path: String

    /// Nil when the folder isn't on a device that counts.
    init?(of folder: String) {
        var status = stat()
        guard unsafe lstat(folder, &status) == 0 else { return nil }
        path = "/sys/dev/block/\(status.st_dev >> 8 & 0xFFF):\(status.st_dev & 0xFF)"
        var target = [CChar](repeating: 0, count: 1024)
        guard unsafe readlink(path, &target, 1023) > 0 else { return nil }
        let link = String(decoding: target.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        name = link.split(separator: "/").last.map(String.init) ?? link
        guard count != nil else { return nil }
    }

    /// Documentation/admin-guide/iostats.rst of the kernel: field 7 are sectors of 512 bytes written, field 16 flushes.
    var count: Count? {
        guard let file = unsafe fopen("\(path)/stat", "r") else { return nil }
        defer { unsafe fclose(file) }
        var line = [CChar](repeating: 0, count: 512)
        guard unsafe fgets(&line, 511, file) != nil else { return nil }
        let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let fields = text.split { $0 == " " || $0 == "\n" }.compactMap { UInt64($0) }
        return fields.count > 15 ? Count(bytes: fields[6] * 512, flushes: fields[15]) : nil
    }
}
