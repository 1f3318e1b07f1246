// Profiles: whatever stands in one, a plan or problems with a place, and nothing else.

internal import GatewayConfiguration
internal import Glibc

enum ProfileFuzz {
    private static let folder: String = {
        let path = "/dev/shm/lineside-fuzz-\(getpid())"
        unsafe mkdir(path, 0o755)
        unsafe mkdir(path + "/profiles", 0o755)
        write(
            Array(
                """
                kind: Site
                id: plant/site
                store: { path: /dev/shm/none }
                channels:
                  net: { tcp: { host: 127.0.0.1 } }
                devices:
                  area/line/cell/meter: { channel: net, unit: 1, profile: fuzz@1 }

                """.utf8), to: path + "/site.yaml")
        return path
    }()
    private static let loader = ConfigurationLoader(environment: [:], profileFolders: [])

    /// By these lines a profile is found; a fuzzer would have to guess them first.
    private static let head = Array("kind: DeviceProfile\nid: fuzz\nversion: 1.0.0\n".utf8)

    static func run(_ input: [UInt8]) {
        write(head + input, to: folder + "/profiles/fuzz.yaml")
        do throws(ConfigurationError) {
            _ = try loader.load(siteFile: folder + "/site.yaml")
        } catch {
            precondition(!error.problems.isEmpty, "BUG: refused without a reason")
            for problem in error.problems { precondition(!problem.description.isEmpty, "BUG: an empty problem") }
        }
    }

    private static func write(_ bytes: [UInt8], to path: String) {
        let file = unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
        _ = unsafe Glibc.write(file, bytes, bytes.count)
        close(file)
    }
}
