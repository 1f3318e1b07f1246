// The options that every command with a configuration has.

import ArgumentParser
import Gateway
import GatewayConfiguration
import GatewayModel
import GatewayPlatform

internal import Glibc

struct SiteOptions: ParsableArguments {
    @Option(
        name: [.short, .customLong("config")], help: "The site file.",
        completion: .file(extensions: ["yaml"]))
    var config = usualFile

    static let usualFile = "/etc/lineside/site.yaml"

    @Option(
        name: .customLong("profiles"),
        help:
            "A folder of device profiles; may be given several times. The folder 'profiles' beside the site file is always searched.",
        completion: .directory)
    var profiles: [String] = []

    /// The package's own profiles come last, so that a site can replace any of them.
    var loader: ConfigurationLoader {
        ConfigurationLoader(
            environment: ProcessEnvironment.current, profileFolders: profiles + ["/usr/share/lineside/profiles"])
    }

    /// What devices have taught the gateway of this site; nil, and said, when it cannot be read.
    func knowledge(of plan: GatewayPlan) -> StoredKnowledge? {
        do throws(DiskError) {
            return try StoredKnowledge(store: plan.storeFolder)
        } catch {
            Console.error("without what devices taught: \(error)")
            return nil
        }
    }

    /// Loads the configuration or ends with every problem printed and exit code 78 (EX_CONFIG).
    func load(printingWarnings: Bool = true) throws -> LoadedConfiguration {
        do throws(ConfigurationError) {
            let loaded = try loader.load(siteFile: config)
            if printingWarnings { for warning in loaded.warnings { Console.error("\(warning)") } }
            return loaded
        } catch {
            for problem in error.problems { Console.error("\(problem)") }
            throw ExitCode(78)
        }
    }
}

enum ProcessEnvironment {
    /// The variables of this process.
    static var current: [String: String] {
        var variables: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let pair = unsafe String(cString: text).split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if pair.count == 2 { variables[String(pair[0])] = String(pair[1]) }
            unsafe entry += 1
        }
        return variables
    }
}
