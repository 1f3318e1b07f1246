// swift-tools-version: 6.2
import PackageDescription

/// For what a generator has written: it doesn't know the marks of memory safety.
let generated: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]
/// One list of settings for every target of ours, so that no module is laxer than another.
let strict: [SwiftSetting] = generated + [.strictMemorySafety()]

let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let kafka: [Target.Dependency] = [.target(name: "CKafka", condition: .when(traits: ["Kafka"]))]

/// A target of ours, with the settings that all of them share.
func ours(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

// Targets stand in the order in which the data flows (Documentation/ARCHITECTURE.md).
let package = Package(
    name: "lineside",
    products: [
        .executable(name: "lineside", targets: ["lineside"]),
        // What issue bars are measured with; installed nowhere.
        .executable(name: "modbus-bench", targets: ["ModbusBench"]),
        .executable(name: "history-bench", targets: ["HistoryBench"]),
        .executable(name: "journal-bench", targets: ["JournalBench"]),
        .executable(name: "sink-bench", targets: ["SinkBench"]),
        .executable(name: "expression-bench", targets: ["ExpressionBench"]),
        .executable(name: "mqtt-bench", targets: ["MQTTBench"]),
    ],
    traits: [.trait(name: "Kafka", description: "Sinks to Kafka, through librdkafka.")],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1", traits: []),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // Foundations: the words, and what we need of Linux and of the C libraries.
        ours("GatewayModel"),
        // How readings are packed, in the log and in RAM.
        ours("Series", ["GatewayModel"]),
        .target(name: "CPlatform"),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        ours("GatewayPlatform", ["GatewayModel", "CPlatform", "CZlib"]),
        // Numbers and line protocol as bytes, for sinks and exports.
        ours("TextFormats", ["GatewayModel"]),
        .target(
            name: "CBrokerTLS", linkerSettings: [.linkedLibrary("ssl"), .linkedLibrary("crypto")]),
        .systemLibrary(name: "CModbus", pkgConfig: "libmodbus", providers: [.apt(["libmodbus-dev"])]),
        // libpq is loaded when it is needed.
        .target(name: "CPostgres"),
        .systemLibrary(name: "CKafka", pkgConfig: "rdkafka", providers: [.apt(["librdkafka-dev"])]),
        .systemLibrary(name: "CMosquitto", pkgConfig: "libmosquitto", providers: [.apt(["libmosquitto-dev"])]),

        // Field: registers and topics become readings.
        ours("Acquisition", ["GatewayModel"]),
        ours("ModbusDriver", ["GatewayModel", "GatewayPlatform", "Acquisition", "CModbus", logging]),
        ours("MQTTLink", ["GatewayModel", "GatewayPlatform", "CMosquitto", "CBrokerTLS", logging]),
        ours("MQTTDriver", ["GatewayModel", "GatewayPlatform", "Acquisition", "MQTTLink", "Sparkplug", logging]),

        // And back: values for machines, guarded and on record.
        ours(
            "Writes", ["GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "MQTTLink", logging, crypto]),

        // Middle: kept, remembered, judged.
        ours("Journal", ["GatewayModel", "GatewayPlatform", "Series", logging]),
        ours("History", ["GatewayModel", "Series"]),
        ours("Export", ["GatewayModel", "TextFormats", "Journal", "History"]),
        ours("Expressions", ["GatewayModel"]),
        ours("Rules", ["GatewayModel"]),

        // Upstream, and the people who look in.
        ours("Upstream", ["GatewayModel", "GatewayPlatform", "TextFormats", "Journal", "MQTTLink", logging]),
        ours(
            "UpstreamHTTP",
            [
                "GatewayModel", "GatewayPlatform", "TextFormats", "Upstream", crypto, logging,
                .product(name: "AsyncHTTPClient", package: "async-http-client"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "NIOSSL", package: "swift-nio-ssl"),
            ]),
        ours("UpstreamPostgres", ["GatewayModel", "GatewayPlatform", "Journal", "Upstream", "CPostgres", logging]),
        // Empty without the trait, so that nobody needs librdkafka who has no Kafka.
        ours("UpstreamKafka", ["GatewayModel", "GatewayPlatform", "Journal", "Upstream"] + kafka),
        // Sparkplug B: the schema as generated, the payload and its rules, and the edge node that speaks it.
        .target(
            name: "SparkplugSchema", dependencies: [.product(name: "SwiftProtobuf", package: "swift-protobuf")],
            swiftSettings: generated),
        ours("Sparkplug", ["GatewayModel", "SparkplugSchema", .product(name: "SwiftProtobuf", package: "swift-protobuf")]),
        ours(
            "UpstreamSparkplug",
            ["GatewayModel", "GatewayPlatform", "Journal", "MQTTLink", "Upstream", "Sparkplug", logging]),
        ours(
            "Dashboard",
            [
                "GatewayModel", "Rules", "History", logging, lifecycle,
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "NIOCore", package: "swift-nio"), .product(name: "NIOPosix", package: "swift-nio"),
            ],
            resources: [.embedInCode("Page")]),

        // Floor plan: files to types, doors' twins, the wiring, the executable.
        ours(
            "Simulation",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "MQTTLink", "MQTTDriver", "Journal",
                "Upstream", "CModbus", logging,
            ]),
        ours(
            "GatewayConfiguration",
            [
                "GatewayModel", "Acquisition", "ModbusDriver", "MQTTLink", "MQTTDriver", "Journal", "Expressions", "Rules",
                "Upstream", "Sparkplug", "UpstreamSparkplug", "Simulation", .product(name: "Yams", package: "Yams"),
            ]),
        ours(
            "Commissioning",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver",
                .product(name: "Yams", package: "Yams"),
            ]),
        ours(
            "Gateway",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "MQTTLink", "MQTTDriver", "Journal",
                "Writes", "History", "Expressions", "Rules", "Upstream", "UpstreamPostgres", "UpstreamKafka", "UpstreamHTTP",
                "UpstreamSparkplug", "Dashboard", "GatewayConfiguration", logging, lifecycle,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ]),
        .executableTarget(
            name: "lineside",
            dependencies: [
                "GatewayModel", "CPlatform", "GatewayPlatform", "ModbusDriver", "MQTTDriver", "GatewayConfiguration",
                "Commissioning", "Gateway", "Simulation", "Writes", "Journal", "History", "Export", "Upstream", logging,
                lifecycle,
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            resources: [.embedInCode("DemoPlant")],
            swiftSettings: strict,
            // The toolchain's own linker: functions that are alike are kept once, and 100,000 names that nobody looks up are
            // not loaded. 10 MB less on disk, 3 MB less in memory when the gateway starts.
            linkerSettings: [
                .unsafeFlags(["-use-ld=lld", "-Xlinker", "--icf=safe", "-Xlinker", "--no-export-dynamic"])
            ]),

        // The bars as commands (Benchmarks/README.md). The driver alone: nothing of the page or the configuration.
        .target(name: "CFloor", dependencies: ["CModbus"], path: "Benchmarks/Sources/CFloor"),
        .executableTarget(
            name: "ModbusBench",
            dependencies: [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "CFloor", "TestSupport",
                "FieldAdversary", "BenchReport", "CAllocations", logging,
            ],
            path: "Benchmarks/Sources/ModbusBench", swiftSettings: strict),
        .target(name: "CAllocations", path: "Benchmarks/Sources/CAllocations"),
        .target(name: "BenchReport", path: "Benchmarks/Sources/BenchReport", swiftSettings: strict),
        .target(name: "CHistoryFloor", path: "Benchmarks/Sources/CHistoryFloor"),
        .executableTarget(
            name: "HistoryBench",
            dependencies: [
                "GatewayModel", "Series", "History", "TestSupport", "BenchReport", "CHistoryFloor", "CAllocations",
            ],
            path: "Benchmarks/Sources/HistoryBench", swiftSettings: strict),
        .target(name: "CJournalFloor", path: "Benchmarks/Sources/CJournalFloor"),
        .executableTarget(
            name: "JournalBench",
            dependencies: [
                "GatewayModel", "GatewayPlatform", "Series", "Journal", "History", "TestSupport", "BenchReport",
                "CJournalFloor", logging,
            ],
            path: "Benchmarks/Sources/JournalBench", swiftSettings: strict),

        .executableTarget(
            name: "SinkBench",
            dependencies: [
                "GatewayModel", "GatewayPlatform", "Journal", "Upstream", "UpstreamHTTP", "TestSupport", "BenchReport",
                logging,
            ],
            path: "Benchmarks/Sources/SinkBench", swiftSettings: strict),

        .executableTarget(
            name: "ExpressionBench", dependencies: ["GatewayModel", "Expressions", "BenchReport", "CAllocations"],
            path: "Benchmarks/Sources/ExpressionBench", swiftSettings: strict),
        .target(name: "CMQTTFloor", dependencies: ["CMosquitto"], path: "Benchmarks/Sources/CMQTTFloor"),
        .executableTarget(
            name: "MQTTBench",
            dependencies: [
                "GatewayModel", "GatewayPlatform", "Acquisition", "MQTTLink", "MQTTDriver", "Journal", "History",
                "TestSupport", "BenchReport", "CMQTTFloor", "CAllocations", logging,
            ],
            path: "Benchmarks/Sources/MQTTBench", swiftSettings: strict),

        // Brokers, programs and clocks that several test targets need.
        .target(
            name: "TestSupport", dependencies: ["GatewayModel", "GatewayPlatform"], path: "Tests/TestSupport",
            swiftSettings: strict),
        // A driver against a hostile field, with a judge; for the tests and for the long campaign of the benchmarks.
        .target(
            name: "FieldAdversary",
            dependencies: [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "TestSupport", logging,
            ],
            path: "Tests/FieldAdversary", swiftSettings: strict),
        tests("GatewayModelTests", ["GatewayModel", "TestSupport"]),
        tests("GatewayPlatformTests", ["GatewayModel", "GatewayPlatform", "TestSupport"]),
        tests("SeriesTests", ["GatewayModel", "Series", "TestSupport"]),
        tests("AcquisitionTests", ["GatewayModel", "Acquisition", "TestSupport"]),
        tests(
            "ModbusDriverTests",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "Simulation", "TestSupport",
                "FieldAdversary", logging,
            ]),
        tests(
            "MQTTDriverTests",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "MQTTLink", "MQTTDriver", "Sparkplug", "Simulation", "TestSupport",
                logging,
            ]),
        tests(
            "WritesTests",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "MQTTLink", "Writes", "Simulation",
                "TestSupport", logging,
            ]),
        tests("JournalTests", ["GatewayModel", "GatewayPlatform", "Journal", "Simulation", "TestSupport", logging]),
        tests("HistoryTests", ["GatewayModel", "History", "TestSupport"]),
        tests(
            "ExportTests",
            [
                "GatewayModel", "GatewayPlatform", "Journal", "History", "Export", "Simulation", "TestSupport", logging,
            ]),
        tests("ExpressionsTests", ["GatewayModel", "Expressions", "TestSupport"]),
        tests("RulesTests", ["GatewayModel", "Rules"]),
        tests(
            "UpstreamTests",
            [
                "GatewayModel", "GatewayPlatform", "Journal", "MQTTLink", "TextFormats", "Upstream", "UpstreamHTTP",
                "Simulation", "TestSupport", crypto, logging,
            ]),
        tests("TextFormatsTests", ["GatewayModel", "TextFormats", "TestSupport"]),
        tests(
            "UpstreamPostgresTests",
            [
                "GatewayModel", "GatewayPlatform", "Journal", "Upstream", "UpstreamPostgres",
                "TestSupport", logging,
            ]),
        tests(
            "UpstreamKafkaTests",
            ["GatewayModel", "GatewayPlatform", "Journal", "Upstream", "UpstreamKafka", "TestSupport", logging] + kafka),
        tests(
            "SparkplugTests",
            [
                "GatewayModel", "SparkplugSchema", "Sparkplug", "TestSupport",
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]),
        tests(
            "UpstreamSparkplugTests",
            [
                "GatewayModel", "GatewayPlatform", "Journal", "MQTTLink", "Upstream", "SparkplugSchema", "Sparkplug",
                "UpstreamSparkplug", "TestSupport", logging,
                .product(name: "SwiftProtobuf", package: "swift-protobuf"),
            ]),
        tests("DashboardTests", ["GatewayModel", "Rules", "History", "Dashboard", logging, lifecycle]),
        tests(
            "GatewayConfigurationTests",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "MQTTLink", "MQTTDriver", "Journal",
                "Expressions", "Rules", "Upstream", "Simulation", "GatewayConfiguration", "TestSupport", logging,
            ],
            exclude: ["Fixtures"]),
        tests(
            "CommissioningTests",
            [
                "GatewayModel", "GatewayPlatform", "Acquisition", "ModbusDriver", "Simulation", "GatewayConfiguration",
                "Commissioning", "TestSupport",
            ]),
        tests(
            "GatewayTests",
            [
                "GatewayModel", "GatewayPlatform", "Journal", "History", "Expressions", "Rules", "Gateway", "Simulation",
                "TestSupport", logging,
            ]),
        tests("EndToEndTests", ["TestSupport", crypto]),
        tests("ArchitectureTests"),
    ],
    swiftLanguageModes: [.v6]
)

// libFuzzer brings its own main, so this target exists only where it is asked for (scripts/fuzz).
if Context.environment["LINESIDE_FUZZ"] != nil {
    package.products.append(.executable(name: "lineside-fuzz", targets: ["LinesideFuzz"]))
    package.targets.append(
        .executableTarget(
            name: "LinesideFuzz",
            dependencies: [
                "GatewayModel", "GatewayPlatform", "Series", "Acquisition", "ModbusDriver", "MQTTDriver",
                "GatewayConfiguration",
            ],
            path: "Tests/Fuzz", swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]))
}
