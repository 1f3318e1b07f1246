// What a folder lies on: the kind of file system, and the medium below it, as Linux tells them.

internal import Glibc

/// One line of /proc/self/mountinfo, as far as it matters here.
package struct Mount: Equatable, Sendable {
    package enum Nature: Equatable, Sendable {
        /// On a medium of this machine, or what looks like one.
        case local
        /// Gone when the power goes.
        case memory
        /// On another machine: what it calls synced is in that machine's hands.
        case network
        /// A layer over another file system (a container's root), which says nothing of its own.
        case layered
    }

    package var folder: String
    /// As the kernel calls it: `ext4`, `tmpfs`, `nfs4`.
    package var kind: String
    /// The device, the server's path, or a word.
    package var source: String
    package var options: Set<String>

    package init(folder: String, kind: String, source: String, options: Set<String> = []) {
        (self.folder, self.kind, self.source, self.options) = (folder, kind, source, options)
    }

    package var isReadOnly: Bool { options.contains("ro") }

    package var nature: Nature {
        switch kind {
        case "tmpfs", "ramfs", "devtmpfs", "hugetlbfs", "zram": .memory
        case "nfs", "nfs4", "cifs", "smb3", "smbfs", "ceph", "afs", "glusterfs", "lustre", "9p", "virtiofs", "vboxsf",
            "fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.cephfs", "davfs", "fuse.davfs2":
            .network
        case "overlay", "aufs": .layered
        default: .local
        }
    }

    /// The lines of the table in order (proc(5), `/proc/pid/mountinfo`); lines that are none are left out.
    package static func table(_ text: String) -> [Mount] {
        text.split(separator: "\n").compactMap { line in
            let words = line.split(separator: " ")
            // Optional fields end with a single hyphen; behind it kind, source and options of the file system.
            guard let end = words.firstIndex(of: "-"), end >= 6, words.count >= end + 4 else { return nil }
            let options = words[5].split(separator: ",") + words[end + 3].split(separator: ",")
            return Mount(
                folder: unescaped(words[4]), kind: String(words[end + 1]), source: unescaped(words[end + 2]),
                options: Set(options.map(String.init)))
        }
    }

    /// The one that a path lies in. Of two on the same folder the later covers the earlier.
    package static func of(_ path: String, in table: [Mount]) -> Mount? {
        func holds(_ mount: Mount) -> Bool {
            mount.folder == "/" || path == mount.folder || path.hasPrefix(mount.folder + "/")
        }
        return table.filter(holds).reduce(nil) { best, mount in
            mount.folder.utf8.count >= (best?.folder.utf8.count ?? 0) ? mount : best
        }
    }

    /// Blanks, tabs, line feeds and backslashes are written in octal.
    private static func unescaped(_ word: Substring) -> String {
        var (bytes, rest) = ([UInt8](), word.utf8)
        while let byte = rest.first {
            let digits = rest.dropFirst().prefix(3)
            if byte == UInt8(ascii: "\\"), digits.count == 3, let code = UInt8(String(Substring(digits)), radix: 8) {
                bytes.append(code)
                rest = rest.dropFirst(4)
            } else {
                bytes.append(byte)
                rest = rest.dropFirst()
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// What stores the bytes, as far as Linux says.
package enum StorageMedium: String, CaseIterable, Sendable {
    case sdCard = "sd"
    case eMMC = "emmc"
    case ssd
    case hardDisk = "hdd"
    /// The disk of a virtual machine: what is below it is the host's affair.
    case virtual
    case unknown

    /// - Parameters:
    ///   - name: the disk's name in /sys/block: `mmcblk0`, `nvme0n1`, `sda`, `vda`.
    ///   - type: /sys/block/NAME/device/type, which an SD or MMC card has.
    ///   - rotational: /sys/block/NAME/queue/rotational.
    package init(name: String, type: String?, rotational: String?) {
        self =
            if name.hasPrefix("mmcblk") {
                type == "SD" ? .sdCard : type == "MMC" ? .eMMC : .unknown
            } else if name.hasPrefix("nvme") {
                .ssd
            } else if name.hasPrefix("vd") || name.hasPrefix("xvd") {
                .virtual
            } else if name.hasPrefix("sd") || name.hasPrefix("hd") {
                rotational == "0" ? .ssd : rotational == "1" ? .hardDisk : .unknown
            } else {
                .unknown
            }
    }
}

/// The disk that a folder lies on.
package struct BlockDevice: Equatable, Sendable {
    package var name: String
    package var medium: StorageMedium
    package var byteCount: Int64?

    package init(name: String, medium: StorageMedium, byteCount: Int64?) {
        (self.name, self.medium, self.byteCount) = (name, medium, byteCount)
    }

    /// The disk's name from where /sys/dev/block/MAJOR:MINOR leads: `…/block/mmcblk0/mmcblk0p2` is on `mmcblk0`.
    package static func name(inLink link: String) -> String? {
        let parts = link.split(separator: "/")
        guard let block = parts.lastIndex(of: "block"), block + 1 < parts.count else { return nil }
        return String(parts[block + 1])
    }

    /// Bytes that the device was given to write since the start of the machine, by anyone; the seventh number of
    /// /sys/block/NAME/stat counts sectors of 512 bytes (Documentation/block/stat.rst of Linux).
    package static func bytesWritten(inStat text: String) -> Int64? {
        let numbers = text.split(whereSeparator: { $0 == " " || $0 == "\n" }).compactMap { Int64($0) }
        return numbers.count >= 7 ? numbers[6] * 512 : nil
    }

    package var bytesWritten: Int64? {
        SystemFile.text("/sys/block/\(name)/stat").flatMap(Self.bytesWritten)
    }
}

/// A folder's place, found out once.
package struct StoragePlace: Sendable {
    package var mount: Mount?
    package var device: BlockDevice?

    package init(mount: Mount? = nil, device: BlockDevice? = nil) { (self.mount, self.device) = (mount, device) }

    /// - Parameter path: a folder that is there.
    package init(of path: String) {
        let real = unsafe realpath(path, nil)
        defer { unsafe free(real) }
        let whole = unsafe real.map { unsafe String(cString: $0) } ?? path
        mount = SystemFile.text("/proc/self/mountinfo").flatMap { Mount.of(whole, in: Mount.table($0)) }
        var status = stat()
        guard unsafe stat(whole, &status) == 0 else { return }
        // As glibc spells a device number: macros, which Swift doesn't see (sys/sysmacros.h).
        let number = UInt64(status.st_dev)
        let major = number >> 8 & 0xFFF | number >> 32 & 0xFFFF_F000
        let minor = number & 0xFF | number >> 12 & 0xFFFF_FF00
        guard let link = SystemFile.link("/sys/dev/block/\(major):\(minor)"), let name = BlockDevice.name(inLink: link)
        else { return }
        let folder = "/sys/block/\(name)"
        device = BlockDevice(
            name: name,
            medium: StorageMedium(
                name: name, type: SystemFile.word("\(folder)/device/type"),
                rotational: SystemFile.word("\(folder)/queue/rotational")),
            byteCount: SystemFile.word("\(folder)/size").flatMap { Int64($0) }.map { $0 * 512 })
    }
}

/// Small files in which Linux tells of itself.
enum SystemFile {
    static func text(_ path: String) -> String? {
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        // A mount table of a host of containers is some hundred KB long.
        while bytes.count < 4 << 20 {
            var part = [UInt8](repeating: 0, count: 16 << 10)
            let count = unsafe Glibc.read(descriptor, &part, part.count)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { return count == 0 ? String(decoding: bytes, as: UTF8.self) : nil }
            bytes += part.prefix(count)
        }
        return nil
    }

    static func word(_ path: String) -> String? {
        text(path)?.split(whereSeparator: \.isWhitespace).first.map(String.init)
    }

    static func link(_ path: String) -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = unsafe bytes.withUnsafeMutableBytes { raw in
            unsafe readlink(path, raw.baseAddress!.assumingMemoryBound(to: CChar.self), raw.count)
        }
        return count > 0 ? String(decoding: bytes.prefix(count), as: UTF8.self) : nil
    }
}
