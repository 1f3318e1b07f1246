// The names of codes, where a source sends the name instead of the code.

internal import GatewayModel

/// Finds the code of a name, byte for byte. Never allocates when it is asked. An immutable value.
struct CodeNames: Sendable {
    private struct Name: Sendable {
        var code: Int64
        var bytes: Range<Int>
    }

    private var names: [Name] = []
    /// UTF-8 of the names, one after the other.
    private var text: [UInt8] = []

    init(_ states: [StateName]) {
        for state in states {
            let start = text.count
            text += state.name.utf8
            names.append(Name(code: state.code, bytes: start..<text.count))
        }
    }

    var isEmpty: Bool { names.isEmpty }

    /// Nil for a text that names no code.
    func code(of name: ArraySlice<UInt8>) -> Int64? {
        for candidate in names where candidate.bytes.count == name.count {
            if text[candidate.bytes].elementsEqual(name) { return candidate.code }
        }
        return nil
    }
}
