// `lineside audit`: what was written to machines, by whom, and whether the record is whole.

import ArgumentParser
import Gateway
import GatewayConfiguration
import GatewayModel
import GatewayPlatform
import Writes

internal import Glibc

struct AuditCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Show or verify the audit trail of writes.",
        subcommands: [AuditVerifyCommand.self, AuditShowCommand.self])
}

/// Where the trail lies.
struct AuditOptions: ParsableArguments {
    @OptionGroup var site: SiteOptions

    @Option(help: "The store's folder. Without it the site file says where it is.", completion: .directory)
    var store: String?

    func disk() throws -> POSIXDisk {
        let folder = try store ?? site.load(printingWarnings: false).plan.auditFolder
        // A tool that reads must not make the folder of a store that is not there.
        guard unsafe access(folder, R_OK | X_OK) == 0 else {
            Console.error("\(folder): \(unsafe String(cString: strerror(errno)))")
            throw ExitCode.failure
        }
        do throws(DiskError) {
            return try POSIXDisk(path: folder)
        } catch {
            Console.error("\(error)")
            throw ExitCode.failure
        }
    }
}

extension AuditPin: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

struct AuditVerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Check that no line of the trail was changed, removed or added.",
        discussion: """
            Prints the number and the hash of the last line as a pin, `7:8d25…`; a running gateway shows it at \
            /api/v1/audit. Keep pins elsewhere and give them back with --pin: then a trail that was cut off at its end \
            or made anew can be told from one that is whole. Exit code 1 when the trail is damaged or a pin does not fit.
            """)

    @OptionGroup var options: AuditOptions

    @Option(help: "A pin that was kept: NUMBER:HASH. May be given several times.")
    var pin: [AuditPin] = []

    func run() throws {
        let disk = try options.disk()
        let report: AuditReport
        do throws(DiskError) {
            report = try AuditTrail.verify(on: disk, pins: pin)
        } catch {
            Console.error("\(error)")
            throw ExitCode.failure
        }
        for note in report.notes { Console.out("note: \(note)") }
        for problem in report.problems { Console.error("error: \(problem)") }
        if let first = report.firstSequence, let last = report.pin {
            Console.out("\(report.lines) lines, \(first) to \(last.sequence); pin of the last: \(last)")
        } else {
            Console.out("no lines")
        }
        guard report.problems.isEmpty else { throw ExitCode.failure }
    }
}

struct AuditShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print the last lines of the trail, oldest first.")

    @OptionGroup var options: AuditOptions

    @Option(name: .shortAndLong, help: "How many lines.")
    var lines = 50

    func run() throws {
        let disk = try options.disk()
        let found: [AuditLine]
        do throws(DiskError) {
            found = try AuditTrail.last(max(0, lines), on: disk)
        } catch {
            Console.error("\(error)")
            throw ExitCode.failure
        }
        for line in found { Console.out(line.spelled) }
    }
}
