// Files to one valid plan, or every problem at once.

package import GatewayModel

internal import Expressions
internal import Journal
internal import MQTTDriver
internal import MQTTLink
internal import Simulation
internal import Upstream

/// A configuration that can be run.
package struct LoadedConfiguration: Equatable, Sendable {
    package var plan: GatewayPlan
    /// What is odd but usable, sorted by place.
    package var warnings: [ConfigurationProblem]
    /// Every file that was read, in the order of reading.
    package var files: [String]
    package var counts: Counts

    /// For the summary of `lineside check`.
    package struct Counts: Equatable, Sendable {
        package var channels: Int
        package var devices: Int
        package var tags: Int
        /// MQTT brokers that are listened to.
        package var sources: Int
        package var sinks: Int
        /// Rules as written, and the alarms that they make, one for each device that they fit.
        package var rules: Int
        package var alarms: Int
    }
}

/// Reads the site file and all that belongs to it. Reads only: never makes, moves or writes a file.
package struct ConfigurationLoader: Sendable {
    private let environment: [String: String]
    private let profileFolders: [String]

    /// - Parameter environment: for `${NAME}` in values and for secrets.
    /// - Parameter profileFolders: searched after the site's own, e.g. `/usr/share/lineside/profiles`.
    package init(environment: [String: String], profileFolders: [String]) {
        self.environment = environment
        self.profileFolders = profileFolders
    }

    /// Loads `siteFile`, its drop-ins, the profiles that it names and the rules beside it.
    /// - Parameter previous: the running table, whose ids are kept.
    /// - Throws: every error and warning found, when there is at least one error.
    package func load(
        siteFile: String, keepingIDsOf previous: TagTable? = nil
    ) throws(ConfigurationError) -> LoadedConfiguration {
        let problems = Problems()
        let folder = ConfigurationFiles.folder(of: siteFile)
        let interpolation = Interpolation(environment: environment)
        var files = [siteFile]
        let parse = { (file: String) in
            YAMLFile(file: file, interpolation: interpolation, problems: problems).parse()
        }
        var site = parse(siteFile)
        var isWhole = site != nil
        for file in ConfigurationFiles.yamlFiles(in: ConfigurationFiles.joined(folder, "site.d")) {
            files.append(file)
            guard let dropIn = parse(file) else {
                isWhole = false
                continue
            }
            guard dropIn.entries != nil else {
                problems.error(dropIn.place, "expected a part of the site, a mapping of keys; found \(dropIn.found)")
                continue
            }
            checkKind(of: dropIn, problems)
            site?.merge(dropIn, problems: problems)
        }
        let library = ProfileLibrary(
            site: folder, system: profileFolders, interpolation: interpolation, problems: problems)
        let compiler = SiteCompiler(environment: environment, library: library, problems: problems)
        let draft = compiler.compile(site, file: siteFile, isWhole: isWhole, previous: previous)
        files += library.filesRead
        let rules = RuleFiles(plant: draft.plant, problems: problems)
        for file in ruleFiles(folder) {
            files.append(file)
            if let root = parse(file) { rules.read(root) }
        }
        let numbering = draft.plant.numbering
        let table = numbering.table(site: draft.plant.site)
        if problems.errorCount == 0, let sinks = draft.parts?.sinks {
            BirthCheck(table: table, rules: rules.rules, problems: problems).check(sinks, site: site)
        }
        guard problems.errorCount == 0, let parts = draft.parts else {
            throw ConfigurationError(problems: problems.all)
        }
        let plan = GatewayPlan(
            tags: table, channels: parts.channels, sources: parts.sources,
            store: parts.store, memoryBytes: parts.memoryBytes, rules: rules.rules, sinks: parts.sinks,
            http: parts.http, simulation: parts.simulation, writes: parts.writes?.policy,
            commandBroker: parts.writes?.broker, derived: parts.derived)
        let counts = LoadedConfiguration.Counts(
            channels: plan.channels.count, devices: numbering.liveDeviceCount, tags: numbering.liveTagCount,
            sources: plan.sources.count, sinks: plan.sinks.count, rules: rules.count, alarms: rules.rules.count)
        return LoadedConfiguration(plan: plan, warnings: problems.all, files: files, counts: counts)
    }

    /// A drop-in may say what it is a part of, and must not say anything else.
    private func checkKind(of dropIn: YAMLNode, _ problems: Problems) {
        guard let kind = dropIn["kind"], kind.text != "Site" else { return }
        problems.error(kind.place, "expected Site, found \(kind.found)")
    }

    private func ruleFiles(_ folder: String) -> [String] {
        let join = ConfigurationFiles.joined
        let single = join(folder, "rules.yaml")
        return (ConfigurationFiles.exists(single) ? [single] : [])
            + ConfigurationFiles.yamlFiles(in: join(folder, "rules"))
            + ConfigurationFiles.yamlFiles(in: join(folder, "rules.d"))
    }
}
