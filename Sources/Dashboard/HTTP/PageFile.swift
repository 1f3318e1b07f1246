// The files of the page, compiled into the program.

/// One file with its type and a tag that changes with its content.
struct PageFile: Sendable {
    let bytes: [UInt8]
    let contentType: String
    let entityTag: String

    private init(_ bytes: [UInt8], _ contentType: String) {
        self.bytes = bytes
        self.contentType = contentType
        // FNV-1a, 64 bits: it only has to change when the file does.
        let hash = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
        entityTag = "\"\(String(hash, radix: 16))\""
    }

    private static func script(_ bytes: [UInt8]) -> PageFile { PageFile(bytes, "text/javascript; charset=utf-8") }

    static let all: [String: PageFile] = {
        let icon = PageFile(PackageResources.icon_svg, "image/svg+xml")
        return [
            "/": PageFile(PackageResources.index_html, "text/html; charset=utf-8"),
            "/app.css": PageFile(PackageResources.app_css, "text/css; charset=utf-8"),
            "/app.js": script(PackageResources.app_js),
            "/attention.js": script(PackageResources.attention_js),
            "/format.js": script(PackageResources.format_js),
            "/links.js": script(PackageResources.links_js),
            "/trend.js": script(PackageResources.trend_js),
            "/values.js": script(PackageResources.values_js),
            "/favicon.svg": icon,
            // Asked for by whoever doesn't read the page's head.
            "/favicon.ico": icon,
        ]
    }()

    /// Whether the client has this very content already.
    func isKnown(to ifNoneMatch: String?) -> Bool {
        guard let ifNoneMatch else { return false }
        return ifNoneMatch == "*"
            || ifNoneMatch.split(separator: ",").contains { tag in
                tag.drop { $0 == " " }.hasSuffix(entityTag)
            }
    }
}
