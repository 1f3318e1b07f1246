// A small file that changes whole or not at all.

extension Disk {
    /// A new file takes the old one's place once it is durable: after a power cut there is the old one or the new one,
    /// and after this has returned the new one. Blocks for as long as the disk takes.
    ///
    /// Uses the name `<name>.new` beside it.
    package func store(_ bytes: [UInt8], as name: String) throws(DiskError) {
        let fresh = "\(name).new"
        // What an earlier attempt left may be longer.
        do { try remove(fresh) } catch { if error.code != Self.noSuchFile { throw error } }
        let file = try open(fresh, create: true)
        try unsafe file.write(bytes.span.bytes, at: 0)
        try file.sync()
        try rename(fresh, to: name)
        try syncDirectory()
    }

    /// ENOENT.
    private static var noSuchFile: Int32 { 2 }
}
