// The store that a command looks into, without ever changing it.

import ArgumentParser
import Gateway
import GatewayConfiguration
import GatewayModel
import GatewayPlatform
import Journal
import Logging

struct StoreOptions: ParsableArguments {
    @OptionGroup var site: SiteOptions

    @Option(
        name: .customLong("directory"), help: "The store's folder. Without it the site file says where it is.",
        completion: .directory)
    var directory: String?

    /// The journal in it, only to be read; a gateway may write it meanwhile.
    func journal() throws -> (journal: Journal, folder: String) {
        var plan =
            try directory.map { JournalPlan(directory: $0) } ?? site.load(printingWarnings: false).plan.store
        // Columns that are there are read, whether the site still wants them or not.
        plan.columnBytes = max(plan.columnBytes, 1)
        let disk: POSIXDisk
        do throws(DiskError) {
            disk = try POSIXDisk(readOnly: plan.directory)
        } catch {
            Console.error("\(error)")
            throw ExitCode.failure
        }
        let journal = Self.journal(of: plan, on: disk)
        if let trouble = journal.recovery.trouble {
            Console.error(trouble)
            throw ExitCode.failure
        }
        return (journal, plan.directory)
    }

    static func journal(of plan: JournalPlan, on disk: POSIXDisk) -> Journal {
        Journal(
            plan: plan, disk: disk, clock: SystemClock(), tags: TagTable(site: "", devices: [], tags: []),
            logger: Logger(label: "journal") { _ in SwiftLogNoOpLogHandler() }, isReadOnly: true)
    }

    /// One that holds something.
    func filledJournal() throws -> Journal {
        let (journal, folder) = try journal()
        guard journal.recovery.segments > 0 else {
            Console.error("\(folder): no journal is in it")
            throw ExitCode.failure
        }
        return journal
    }
}
