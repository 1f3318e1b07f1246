// `lineside discovered` and `lineside adopt`: devices that came by being seen, and their way into the site.

import ArgumentParser
import Gateway
import GatewayConfiguration
import GatewayModel
import GatewayPlatform
import MQTTDriver

internal import Glibc

/// A device that nobody wrote down, as the plan with the discoveries has it.
private struct Discovered {
    var topic: FoundTopic
    var device: String
    var tags: [String]

    static func all(_ site: SiteOptions) throws -> [Discovered] {
        let configured = try site.load(printingWarnings: false).plan
        var topics: [FoundTopic] = []
        do throws(DiskError) {
            topics = try StoredDiscoveries.topics(store: configured.storeFolder)
        } catch where error.code != ENOENT {
            Console.error("\(error)")
            throw ExitCode.failure
        } catch {}
        let plan = configured.opened(by: topics).plan
        return plan.sources.flatMap { source in
            source.subscriptions.filter(\.isDiscovered).map { subscription in
                Discovered(
                    topic: FoundTopic(source: source.name, topic: subscription.topic), device: subscription.name,
                    tags: subscription.tags.map { plan.tags[$0.tag].name })
            }
        }
    }
}

struct DiscoveredCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discovered", abstract: "List devices that the gateway found on topics with captures.",
        discussion: "They are read, kept and sent. Rules take them when they are adopted: 'lineside adopt'.")

    @OptionGroup var site: SiteOptions

    func run() throws {
        let all = try Discovered.all(site)
        guard !all.isEmpty else { return Console.out("nothing was discovered that is not adopted") }
        let rows = all.map { [$0.device, $0.topic.source, $0.topic.topic, $0.tags.joined(separator: ", ")] }
        for line in TextTable.lines([["device", "source", "topic", "tags"]] + rows, leading: 4) { Console.out(line) }
    }
}

struct AdoptCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adopt", abstract: "Write discovered devices into the site, as a drop-in file in 'site.d'.",
        discussion: """
            A new file for each call; none is changed. The gateway takes it with 'systemctl reload lineside'. Exit code 1 \
            when a name is unknown or the file can't be written.
            """)

    @OptionGroup var site: SiteOptions

    @Argument(help: "Devices or topics, as 'lineside discovered' lists them.")
    var names: [String] = []

    @Flag(help: "All of them.")
    var all = false

    @Flag(help: "Print the file, and write none.")
    var dryRun = false

    func validate() throws {
        if names.isEmpty != all { throw ValidationError("give the devices to adopt, or --all") }
    }

    func run() throws {
        let discovered = try Discovered.all(site)
        let unknown = names.filter { name in !discovered.contains { $0.device == name || $0.topic.topic == name } }
        guard unknown.isEmpty else {
            Console.error("not discovered: \(unknown.joined(separator: ", "))")
            throw ExitCode.failure
        }
        let chosen = discovered.filter { all || names.contains($0.device) || names.contains($0.topic.topic) }
        guard !chosen.isEmpty else { return Console.out("nothing was discovered that is not adopted") }
        let text = Self.dropIn(chosen.map(\.topic))
        if dryRun { return Console.out(text) }
        let file = try write(text)
        Console.out("\(chosen.count) devices adopted in \(file); the gateway takes them with its next reload")
    }

    /// Topics by source, spelled so that no topic can be anything but a text.
    static func dropIn(_ topics: [FoundTopic]) -> String {
        var text = "# Topics of subscriptions with captures whose devices belong to the site. Written by 'lineside adopt'.\n"
        text += "kind: Site\nadopted:\n"
        for source in Set(topics.map(\.source)).sorted() {
            text += "  \(source):\n"
            for topic in topics where topic.source == source {
                let spelled = topic.topic.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"")
                text += "    - \"\(spelled)\"\n"
            }
        }
        return text
    }

    /// The first name that is free; readable for the daemon whoever calls this.
    private func write(_ text: String) throws -> String {
        let folder = site.config.lastIndex(of: "/").map { "\(site.config[..<$0])/site.d" } ?? "site.d"
        unsafe _ = mkdir(folder, 0o755)
        for number in 1...10_000 {
            let file = "\(folder)/adopted-\(number).yaml"
            let descriptor = unsafe open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
            if descriptor < 0 && errno == EEXIST { continue }
            guard descriptor >= 0 else { throw failed(file) }
            defer { close(descriptor) }
            let bytes = Array(text.utf8)
            let written = unsafe bytes.withUnsafeBytes { unsafe Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard written == bytes.count, fsync(descriptor) == 0 else { throw failed(file) }
            return file
        }
        throw failed("\(folder)/adopted-*.yaml")
    }

    private func failed(_ file: String) -> ExitCode {
        Console.error("\(file) can't be written: \(unsafe String(cString: strerror(errno)))")
        return .failure
    }
}
