// `lineside import`: other people's register maps to a draft of a profile.

import ArgumentParser
import Commissioning
import GatewayConfiguration

struct ImportCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "import",
        abstract: "Turn a register map (CSV, SunSpec model, EdgeX profile) into a draft of a device profile.",
        discussion: """
            The profile goes to standard output. What was guessed stands in comments, at the top and above each tag; what \
            could not be used is said there too. Nothing becomes writable. Check the draft against the manual and the \
            device ('lineside poll', 'lineside decode --expect') before you trust a number.

              lineside import csv registers.csv > profiles/acme-meter.yaml
              lineside import sunspec model_103.json --at 40070 > profiles/inverter.yaml
              lineside import edgex device.yaml > profiles/device.yaml
            """,
        subcommands: [CSVCommand.self, SunSpecCommand.self, EdgeXCommand.self])

    struct File: ParsableArguments {
        @Argument(help: "The file.", completion: .file())
        var file: String

        @Option(help: "The id of the profile; left out, it is made from the name of the file.")
        var id: String?

        var name: String { String(file.split(separator: "/").last ?? "imported") }
        var profileID: String { id ?? String(name.split(separator: ".").first ?? "imported") }

        /// Reads the file, prints the profile, or says what is wrong and where.
        func convert(_ make: ([UInt8]) throws(ImportError) -> ImportedProfile) throws {
            let bytes: [UInt8]
            do {
                bytes = try ConfigurationFiles.read(file)
            } catch {
                Console.error("\(file): can't be read: \(error.message)")
                throw ExitCode.failure
            }
            do throws(ImportError) {
                let profile = try make(bytes)
                Console.out(String(profile.yaml.dropLast()))
                for guess in profile.guesses { Console.error("guessed: \(guess)") }
                for left in profile.leftOut { Console.error("left out: \(left)") }
                Console.error("\(profile.tagCount) tags; a draft, to be checked")
            } catch {
                Console.error("\(file):\(error.line.map { "\($0):" } ?? "") error: \(error.message)")
                throw ExitCode.failure
            }
        }
    }

    struct CSVCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "csv", abstract: "A vendor's register list; separated by comma, semicolon or tab.",
            discussion: """
                The header may be anywhere in the first 30 rows. Understood are columns for name, address (or register), \
                type, length, scale (or factor, gain, decimals), offset, unit, table (or function), access, byte order and \
                description, under their usual names in English and German. Save Excel sheets as "CSV UTF-8".
                """)

        @OptionGroup var input: File

        @Option(
            help:
                "How the list counts: protocol-0, register-1, modicon-5 or modicon-6. Left out, it is guessed and said."
        )
        var addressing: String?

        func validate() throws {
            if let addressing, AddressConvention(rawValue: addressing) == nil {
                throw ValidationError("--addressing is protocol-0, register-1, modicon-5 or modicon-6")
            }
        }

        func run() throws {
            let convention = addressing.flatMap(AddressConvention.init)
            try input.convert { (bytes) throws(ImportError) in
                try CSVImport.profile(bytes, id: input.profileID, source: input.name, convention: convention)
            }
        }
    }

    struct SunSpecCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "sunspec", abstract: "A model in JSON, as published in github.com/sunspec/models.")

        @OptionGroup var input: File

        @Option(help: "Where the model's id register stands (from 0), as 'lineside scan' shows it. Left out: 40070.")
        var at: Int?

        func validate() throws {
            if let at, !(0...65535).contains(at) { throw ValidationError("--at is 0 to 65535") }
        }

        func run() throws {
            try input.convert { (bytes) throws(ImportError) in
                try SunSpecImport.profile(bytes, id: input.profileID, source: input.name, at: at)
            }
        }
    }

    struct EdgeXCommand: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "edgex", abstract: "A device profile of EdgeX Foundry for device-modbus-go, YAML or JSON.")

        @OptionGroup var input: File

        func run() throws {
            try input.convert { (bytes) throws(ImportError) in
                try EdgeXImport.profile(bytes, id: input.profileID, source: input.name)
            }
        }
    }
}
