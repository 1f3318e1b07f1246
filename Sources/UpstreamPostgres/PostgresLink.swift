// libpq's connection in Swift: one object for one connection, one statement at a time, and no call that waits.

internal import CPostgres
internal import Glibc

/// One statement, and the rows that a COPY takes with it.
struct Statement: Sendable {
    var sql: String
    /// Given as text; the server knows their types from the statement.
    var parameters: [String]
    var rows: CopyData?

    init(_ sql: String, _ parameters: [String] = [], rows: CopyData? = nil) {
        self.sql = sql
        self.parameters = parameters
        self.rows = rows
    }
}

/// What a statement came to.
enum StatementResult: Equatable, Sendable {
    /// - Parameter count: rows that it changed, when it says so.
    case done(rows: [[String]], count: Int)
    case failed(PostgresError)
}

/// One `PGconn`, from its first packet to its first trouble. Noncopyable: one owner, one thread, and the owner's end is
/// the connection's. It never connects again; who owns it makes another.
@safe
struct PostgresLink: ~Copyable {
    enum Connecting: Equatable { case waiting, connected, failed(PostgresError) }
    enum Progress: Equatable {
        case busy
        case finished(StatementResult)
        /// The connection is gone, whatever became of the statement.
        case broken(String)
    }

    private let connection: OpaquePointer
    /// The statement that runs: what is left of its rows, and what it has said so far.
    private var rows: CopyData?
    private var isCopying = false
    private var sent = 0
    private var result = StatementResult.done(rows: [], count: 0)
    private(set) var wantsToWrite = true
    private(set) var isBusy = false

    /// Bytes of rows given to libpq at once; it copies them, and takes the next when the socket has taken these.
    private static let pieceBytes = 64 << 10
    /// Of an answer; ours have one row for each name that was asked for.
    private static let mostRows = 100_000

    /// Only when `PostgresLibrary` is loaded.
    ///
    /// libpq writes with send(2) and MSG_NOSIGNAL, or blocks SIGPIPE for itself: nothing to do about it here.
    init?(_ parameters: [(name: String, value: String)]) {
        // Two arrays of C strings, each with a nil behind its last.
        var names: [UnsafeMutablePointer<CChar>?] = unsafe parameters.map { unsafe strdup($0.name) }
        var values: [UnsafeMutablePointer<CChar>?] = unsafe parameters.map { unsafe strdup($0.value) }
        unsafe names.append(nil)
        unsafe values.append(nil)
        defer {
            unsafe names.forEach { unsafe free($0) }
            // The password is among them.
            for index in unsafe values.indices {
                if let value = unsafe values[index] { unsafe explicit_bzero(value, strlen(value)) }
                unsafe free(values[index])
            }
        }
        let constantNames = unsafe names.map { unsafe UnsafePointer($0) }
        let constantValues = unsafe values.map { unsafe UnsafePointer($0) }
        guard let connection = unsafe PQconnectStartParams(constantNames, constantValues, 0) else { return nil }
        unsafe self.connection = connection
        // Errors while connecting have no fields, so the code must be in their text.
        unsafe PQsetErrorVerbosity(connection, PQERRORS_VERBOSE)
        // By default notices go to standard error.
        unsafe PQsetNoticeProcessor(connection, { _, _ in }, nil)
    }

    deinit { unsafe PQfinish(connection) }

    var socket: Int32 { unsafe PQsocket(connection) }

    /// Goes on connecting as far as it can without waiting.
    mutating func connect() -> Connecting {
        switch unsafe PQconnectPoll(connection) {
        case PGRES_POLLING_OK:
            guard unsafe PQsetnonblocking(connection, 1) == 0 else { return .failed(.lost(message)) }
            wantsToWrite = false
            return .connected
        case PGRES_POLLING_READING:
            wantsToWrite = false
            return .waiting
        case PGRES_POLLING_WRITING:
            wantsToWrite = true
            return .waiting
        default: return .failed(PostgresError(connecting: message))
        }
    }

    /// Sends a statement.
    /// - Returns: false when the connection is gone.
    mutating func begin(_ statement: Statement) -> Bool {
        precondition(!isBusy, "BUG: one statement at a time")
        result = .done(rows: [], count: 0)
        (rows, isCopying, sent) = (statement.rows, false, 0)
        let isSent: Int32
        if statement.parameters.isEmpty {
            isSent = unsafe PQsendQuery(connection, statement.sql)
        } else {
            let values: [UnsafeMutablePointer<CChar>?] = unsafe statement.parameters.map { unsafe strdup($0) }
            defer { unsafe values.forEach { unsafe free($0) } }
            let constants = unsafe values.map { unsafe UnsafePointer($0) }
            isSent = unsafe PQsendQueryParams(
                connection, statement.sql, Int32(clamping: constants.count), nil, constants, nil, nil, 0)
        }
        isBusy = isSent == 1
        return isBusy && flush()
    }

    /// Reads and writes what can be without waiting.
    /// - Returns: what became of the statement; `.busy` too when none runs and the connection stands.
    mutating func advance() -> Progress {
        guard unsafe PQconsumeInput(connection) == 1 else { return .broken(message) }
        while isBusy {
            if isCopying {
                guard sendRows() else { return .broken(message) }
                if isCopying { return .busy }
            }
            guard flush() else { return .broken(message) }
            guard unsafe PQisBusy(connection) == 0 else { return .busy }
            guard let answer = unsafe PQgetResult(connection) else {
                isBusy = false
                rows = nil
                // An error that ends the connection comes as the statement's error.
                if unsafe PQstatus(connection) != CONNECTION_OK { return .broken(message) }
                return .finished(result)
            }
            unsafe take(answer)
            unsafe PQclear(answer)
        }
        return unsafe PQstatus(connection) == CONNECTION_OK ? .busy : .broken(message)
    }

    private mutating func take(_ answer: OpaquePointer) {
        switch unsafe PQresultStatus(answer) {
        case PGRES_COPY_IN: isCopying = true
        case PGRES_TUPLES_OK, PGRES_SINGLE_TUPLE:
            let columns = unsafe PQnfields(answer)
            let rows = (0..<min(unsafe PQntuples(answer), Int32(Self.mostRows))).map { row in
                (0..<columns).map { column in unsafe String(cString: PQgetvalue(answer, row, column)) }
            }
            result = .done(rows: rows, count: rows.count)
        case PGRES_COMMAND_OK:
            guard case .done(let rows, _) = result else { return }
            result = .done(rows: rows, count: unsafe Int(String(cString: PQcmdTuples(answer))) ?? 0)
        case PGRES_EMPTY_QUERY: break
        default:
            if case .failed = result { return }
            result = .failed(unsafe PostgresError(answer))
        }
    }

    /// False when the connection is gone.
    private mutating func flush() -> Bool {
        let left = unsafe PQflush(connection)
        wantsToWrite = left == 1
        return left >= 0
    }

    /// The header, the rows in pieces, the end. Stops when the socket takes no more.
    /// - Returns: false when the connection is gone.
    private mutating func sendRows() -> Bool {
        while isCopying {
            guard flush() else { return false }
            if wantsToWrite { return true }
            guard let rows, sent < rows.byteCount else {
                isCopying = false
                return unsafe PQputCopyEnd(connection, nil) == 1
            }
            let (bytes, range) = rows.part(from: sent, most: Self.pieceBytes)
            let status = unsafe bytes.withUnsafeBytes { raw in
                let piece = unsafe UnsafeRawBufferPointer(rebasing: raw[range])
                return unsafe PQputCopyData(
                    connection, piece.baseAddress?.assumingMemoryBound(to: CChar.self), Int32(piece.count))
            }
            guard status >= 0 else { return false }
            if status == 0 {
                wantsToWrite = true
                return true
            }
            sent += range.count
        }
        return true
    }

    private var message: String {
        let text = unsafe String(cString: PQerrorMessage(connection))
        return PostgresError.firstLine(text)
    }
}

extension PostgresError {
    /// What the server said about a statement.
    fileprivate init(_ answer: OpaquePointer) {
        func field(_ code: Character) -> String {
            let text = unsafe PQresultErrorField(answer, Int32(code.asciiValue ?? 0))
            return unsafe text.map { unsafe String(cString: $0) } ?? ""
        }
        // PG_DIAG_SQLSTATE, _MESSAGE_PRIMARY, _MESSAGE_DETAIL, _CONSTRAINT_NAME, _COLUMN_NAME
        self.init(
            code: field("C"), message: field("M"), detail: field("D"), constraint: field("n"), column: field("c"))
        if message.isEmpty { message = PostgresError.firstLine(unsafe String(cString: PQresultErrorMessage(answer))) }
    }
}
