// What must never be shown.

/// A secret that no description shows: logs and answers hold `•••`.
package struct Secret: Equatable, Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    package let revealed: String
    package init(_ text: String) { revealed = text }
    package var description: String { "•••" }
    package var debugDescription: String { "•••" }
    package var customMirror: Mirror { Mirror(self, children: []) }
}
