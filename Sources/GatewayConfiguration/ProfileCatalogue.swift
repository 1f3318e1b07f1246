// All profiles of some folders, for tools that look for the one that fits a device.

package import ModbusDriver

/// What a tool needs to know of a profile.
package struct ProfileSummary: Equatable, Sendable {
    /// As a site names it: `schneider-pm5xxx@1`.
    package var name: String
    package var vendor: String
    package var model: String
    /// True while nobody vouches for its numbers.
    package var isDraft: Bool
    package var identify: [IdentityCheck]

    package init(name: String, vendor: String, model: String, isDraft: Bool, identify: [IdentityCheck]) {
        self.name = name
        self.vendor = vendor
        self.model = model
        self.isDraft = isDraft
        self.identify = identify
    }
}

/// Reads every profile of some folders.
package struct ProfileCatalogue: Sendable {
    /// In the order of the folders, and of the files in each; the first of a name counts.
    package let profiles: [ProfileSummary]
    /// What is wrong with files that look like profiles; they are left out when it is an error.
    package let problems: [ConfigurationProblem]

    package init(folders: [String], environment: [String: String] = [:]) {
        let found = Problems()
        let interpolation = Interpolation(environment: environment)
        var profiles: [ProfileSummary] = []
        for file in folders.flatMap({ ConfigurationFiles.yamlFiles(in: $0, recursively: true) }) {
            let before = found.errorCount
            // A folder may hold sites and rules as well.
            guard let root = YAMLFile(file: file, interpolation: interpolation, problems: found).parse(),
                root["kind"]?.text == "DeviceProfile",
                let profile = ProfileReader(problems: found).read(root), found.errorCount == before
            else { continue }
            let name = "\(profile.id)@\(profile.version.prefix { $0 != "." })"
            guard !profiles.contains(where: { $0.name == name }) else { continue }
            profiles.append(
                ProfileSummary(
                    name: name, vendor: profile.vendor, model: profile.model, isDraft: profile.isDraft,
                    identify: profile.identify))
        }
        self.profiles = profiles
        problems = found.all
    }
}
