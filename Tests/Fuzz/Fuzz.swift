// The entry of libFuzzer: bytes go to the parser that LINESIDE_FUZZ_TARGET names (scripts/fuzz).

internal import Glibc

/// What is fuzzed. Each parser meets bytes of strangers: of devices, of brokers, of whoever writes profiles, of disks.
private enum Target: String {
    case replies, payloads, profiles, blocks, rows
}

private let target: Target = {
    let name = unsafe getenv("LINESIDE_FUZZ_TARGET").map { unsafe String(cString: $0) } ?? "replies"
    guard let target = Target(rawValue: name) else { preconditionFailure("BUG: no fuzz target '\(name)'") }
    return target
}()

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    let input = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
    switch target {
    case .replies: ReplyFuzz.run(input)
    case .payloads: PayloadFuzz.run(input)
    case .profiles: ProfileFuzz.run(input)
    case .blocks: BlockFuzz.run(input)
    case .rows: RowFuzz.run(input)
    }
    return 0
}
