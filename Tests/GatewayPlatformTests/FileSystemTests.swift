// What Linux tells of a folder's file system and disk.

import GatewayPlatform
import TestSupport
import Testing

private let table = """
    27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw,discard
    22 27 0:21 / /proc rw,relatime - proc proc rw
    30 27 179:2 / /data rw,noatime shared:2 master:1 - ext4 /dev/mmcblk0p2 rw,nobarrier
    31 30 0:40 / /data/nas rw - nfs4 10.0.0.5:/export/a\\040b ro,vers=4.2
    32 27 0:41 / /mnt/with\\040blank rw - tmpfs tmpfs rw,size=1024k
    33 30 0:42 / /data rw - tmpfs none rw
    a line of another kind
    34 27 0:43 / /short rw -
    """

@Suite("File systems") struct FileSystemTests {
    @Test(
        "A path lies in the deepest mount, the later of two on one folder, and never in a folder that only begins alike",
        arguments: [
            ("/", "ext4", "/"), ("/etc/lineside", "ext4", "/"), ("/database", "ext4", "/"),
            ("/data", "tmpfs", "/data"), ("/data/x", "tmpfs", "/data"), ("/data/nas/y", "nfs4", "/data/nas"),
            ("/mnt/with blank/store", "tmpfs", "/mnt/with blank"), ("/proc/self", "proc", "/proc"),
        ])
    func lookUp(path: String, kind: String, folder: String) throws {
        let mount = try #require(Mount.of(path, in: Mount.table(table)))
        #expect(mount.kind == kind && mount.folder == folder)
    }

    @Test("Lines that are no mounts are left out, and escapes are read")
    func parsing() throws {
        let mounts = Mount.table(table)
        #expect(mounts.count == 6)
        let nas = try #require(mounts.first { $0.kind == "nfs4" })
        #expect(nas.source == "10.0.0.5:/export/a b" && nas.isReadOnly)
        let card = try #require(mounts.first { $0.source == "/dev/mmcblk0p2" })
        #expect(card.options.contains("nobarrier") && card.options.contains("noatime") && !card.isReadOnly)
        #expect(Mount.of("/x", in: []) == nil)
    }

    @Test(
        "RAM, network and layers are told from disks",
        arguments: [
            ("tmpfs", Mount.Nature.memory), ("ramfs", .memory), ("nfs4", .network), ("cifs", .network),
            ("fuse.sshfs", .network), ("9p", .network), ("overlay", .layered), ("ext4", .local), ("f2fs", .local),
            ("btrfs", .local), ("vfat", .local), ("fuseblk", .local),
        ])
    func nature(kind: String, nature: Mount.Nature) {
        #expect(Mount(folder: "/", kind: kind, source: "x").nature == nature)
    }

    @Test(
        "The medium follows from the disk's name and what its driver says",
        arguments: [
            ("mmcblk0", "SD", "0", StorageMedium.sdCard), ("mmcblk1", "MMC", "0", .eMMC),
            ("mmcblk0", nil, "0", .unknown), ("nvme0n1", nil, "0", .ssd), ("sda", nil, "0", .ssd),
            ("sda", nil, "1", .hardDisk), ("sdb", nil, nil, .unknown), ("vda", nil, "1", .virtual),
            ("dm-0", nil, "0", .unknown), ("loop3", nil, "0", .unknown),
        ] as [(String, String?, String?, StorageMedium)])
    func medium(name: String, type: String?, rotational: String?, medium: StorageMedium) {
        #expect(StorageMedium(name: name, type: type, rotational: rotational) == medium)
    }

    @Test("A partition belongs to its disk, and the counter of written sectors is the seventh number")
    func device() {
        let link = "../../devices/platform/soc/mmc_host/mmc0/mmc0:aaaa/block/mmcblk0/mmcblk0p2"
        #expect(BlockDevice.name(inLink: link) == "mmcblk0")
        #expect(BlockDevice.name(inLink: "../../devices/virtual/block/dm-0") == "dm-0")
        #expect(BlockDevice.name(inLink: "/nowhere") == nil && BlockDevice.name(inLink: "/x/block") == nil)
        #expect(BlockDevice.bytesWritten(inStat: " 12 8 96 10  80 32 71 28 0 17\n") == 36_352)
        #expect(BlockDevice.bytesWritten(inStat: "1 2 3") == nil)
    }

    @Test("The folder of this test lies on something")
    func here() throws {
        let folder = try TemporaryFolder()
        let mount = try #require(StoragePlace(of: folder.path).mount)
        #expect(folder.path.hasPrefix(mount.folder) && !mount.kind.isEmpty && !mount.isReadOnly)
    }
}
