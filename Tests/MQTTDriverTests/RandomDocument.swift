// Seeded random JSON documents, and how to look into Foundation's idea of them.

import Acquisition
import Foundation
import MQTTDriver
import TestSupport

struct RandomDocument {
    var random: Seeded
    private var paths: [JSONPath] = []
    private var text = ""

    init(random: Seeded) { self.random = random }

    /// A document with unique keys, and the paths of some of what is in it, and of some of what isn't.
    mutating func make() -> (bytes: [UInt8], paths: [JSONPath]) {
        value(at: [], depth: 0)
        paths.append(JSONPath(steps: [.key("nowhere"), .index(3)]))
        return (Array(text.utf8), paths)
    }

    private mutating func value(at steps: [JSONPath.Step], depth: Int) {
        if chance(0.6) { paths.append(JSONPath(steps: steps)) }
        space()
        switch Int.random(in: 0..<(depth < 5 ? 9 : 6), using: &random) {
        case 0: text += ["null", "true", "false"].randomElement(using: &random)!
        case 1, 2: text += number()
        case 3: text += "\(Int64.random(in: .min ... .max, using: &random))"
        case 4, 5: text += string()
        case 6:
            text += "["
            for index in 0..<Int.random(in: 0..<4, using: &random) {
                if index > 0 { text += "," }
                value(at: steps + [.index(index)], depth: depth + 1)
            }
            text += "]"
        default:
            text += "{"
            for index in 0..<Int.random(in: 0..<5, using: &random) {
                if index > 0 { text += "," }
                let key = "k\(index)" + (chance(0.2) ? "ä\"" : "")
                space()
                text += quoted(key)
                space()
                text += ":"
                value(at: steps + [.key(key)], depth: depth + 1)
            }
            text += "}"
        }
        space()
    }

    private mutating func number() -> String {
        let bits = Double(bitPattern: random.next())
        if chance(0.3), bits.isFinite { return "\(bits)" }
        let whole = "\(Int.random(in: -99999...99999, using: &random))"
        let fraction = chance(0.6) ? ".\(UInt64.random(in: 0...9_999_999, using: &random))" : ""
        let exponent =
            chance(0.2)
            ? "\(["e", "E", "e+", "E-"].randomElement(using: &random)!)\(Int.random(in: 0...40, using: &random))" : ""
        return whole + fraction + exponent
    }

    private mutating func string() -> String {
        let letters = ["a", "Z", "0", " ", "\"", "\\", "/", "\n", "\u{1}", "é", "€", "😀", "{", "]", "\u{7F}"]
        return quoted(
            (0..<Int.random(in: 0..<12, using: &random)).map { _ in letters.randomElement(using: &random)! }.joined())
    }

    private mutating func quoted(_ plain: String) -> String {
        var quoted = "\""
        for scalar in plain.unicodeScalars {
            if chance(0.2) || scalar.value < 0x20 {
                for unit in String(scalar).utf16 {
                    let digits = String(unit, radix: 16, uppercase: chance(0.5))
                    quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                }
            } else if scalar == "\"" || scalar == "\\" {
                quoted += "\\\(scalar)"
            } else {
                quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }

    private mutating func space() {
        if chance(0.15) { text += [" ", "\n", "\t", "\r\n"].randomElement(using: &random)! }
    }

    private mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &random) < share }

    static func look(_ value: Any, _ path: JSONPath) -> Any? {
        var here: Any? = value
        for step in path.steps {
            switch step {
            case .key(let key): here = (here as? [String: Any])?[key]
            case .index(let index):
                guard let array = here as? [Any], index < array.count else { return nil }
                here = array[index]
            case .each: return nil
            }
        }
        return here
    }

    static func isSame(_ field: JSONField, _ bytes: [UInt8], _ unescaped: [UInt8], _ theirs: Any?) -> Bool {
        switch field {
        case .missing: return theirs == nil
        case .raw: return false
        case .null: return theirs is NSNull
        case .boolean(let flag): return theirs as? Bool == flag
        case .number(let number):
            guard let theirs = theirs as? NSNumber else { return false }
            if case .integer(let integer) = number.raw { return theirs.int64Value == integer }
            // Foundation goes through Decimal, which is not always rounded to the nearest Double.
            return abs(theirs.doubleValue - number.real) <= abs(number.real) * 1e-14
        case .text(let range, let isUnescaped):
            return theirs as? String == String(decoding: isUnescaped ? unescaped[range] : bytes[range], as: UTF8.self)
        case .container: return theirs is [Any] || theirs is [String: Any]
        }
    }
}
