// libpq is loaded by the first sink that needs it: with the 19 libraries that it needs it takes 3.6 MB (measured).

internal import CPostgres

/// Loads libpq for the whole process, from any thread. It never unloads it, and keeps nothing itself.
enum PostgresLibrary {
    /// The name of its interface since PostgreSQL 8.2, in Debian's package libpq5.
    static let name = "libpq.so.5"

    /// To be called before each connection: a library that is missing may have been installed meanwhile.
    /// - Returns: why there is none.
    static func load(_ library: String) -> PostgresError? {
        let reason: String? = unsafe withUnsafeTemporaryAllocation(of: CChar.self, capacity: 512) { problem in
            unsafe problem.initialize(repeating: 0)
            guard let start = problem.baseAddress else { return nil }
            guard unsafe postgres_client_load(library, start, problem.count) == 0 else { return nil }
            return unsafe String(cString: start)
        }
        guard let reason else { return nil }
        // The loader names the file it could not open; another one is something that libpq needs.
        guard !reason.hasPrefix("\(library): cannot open") else {
            return PostgresError(library: "libpq5 is not installed", advice: "apt install libpq5")
        }
        return PostgresError(library: "libpq can't be loaded: \(reason)", advice: "apt install --reinstall libpq5")
    }
}
