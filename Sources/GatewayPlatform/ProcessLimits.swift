// What the process may use and what it uses.

internal import CPlatform
internal import GatewayModel
internal import Glibc

package enum ProcessLimits {
    /// Keeps every descriptor below the 1,024 at which libmodbus' `select()` corrupts memory (fixed in 3.1.12).
    package static func capDescriptors(at limit: Int = Limits.descriptors) {
        var current = rlimit()
        unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &current)
        current.rlim_cur = min(current.rlim_max, rlim_t(limit))
        unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &current)
    }

    /// A closed connection must be an error of the call, not the end of the process.
    package static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

    /// Few arenas for many threads: call before the first thread starts.
    package static func limitArenas() { lineside_limit_arenas(2) }

    /// What reading the configuration took is needed once and never again: given back to the system, memory that was freed
    /// and the program's own pages alike. Most of a gateway's code runs once, when it starts: it was 30 MB of 50.
    package static func returnMemory() {
        lineside_return_freed_memory()
        lineside_return_program_pages()
    }

    package struct Usage: Sendable {
        package var cpuSeconds: Double
        package var residentBytes: Int
        package var openDescriptors: Int
    }

    package static func usage() -> Usage {
        var used = rusage()
        unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &used)
        func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
        var resident = 0
        if let file = unsafe fopen("/proc/self/statm", "r") {
            var line = [CChar](repeating: 0, count: 128)
            if unsafe fgets(&line, 128, file) != nil {
                let fields = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
                    .split(separator: " ")
                if fields.count > 1 { resident = (Int(fields[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE))) }
            }
            unsafe fclose(file)
        }
        var descriptors = 0
        if let folder = unsafe opendir("/proc/self/fd") {
            while unsafe readdir(folder) != nil { descriptors += 1 }
            unsafe closedir(folder)
            descriptors = max(0, descriptors - 3)  // ".", ".." and the folder itself
        }
        return Usage(
            cpuSeconds: seconds(used.ru_utime) + seconds(used.ru_stime), residentBytes: resident,
            openDescriptors: descriptors)
    }
}
