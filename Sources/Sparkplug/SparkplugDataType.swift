// The types of Sparkplug B, by their numbers.

package import GatewayModel

/// Sparkplug B 3.0, 6.4.16. What is not here is not a type of the specification.
package enum SparkplugDataType: UInt32, Sendable, CaseIterable {
    case int8 = 1
    case int16, int32, int64, uint8, uint16, uint32, uint64
    case float, double, boolean, string, dateTime, text
    case uuid, dataSet, bytes, file, template
    case propertySet, propertySetList
    case int8Array, int16Array, int32Array, int64Array, uint8Array, uint16Array, uint32Array, uint64Array
    case floatArray, doubleArray, booleanArray, stringArray, dateTimeArray

    /// What a tag of this kind is told as. Integers are 64 bits wide in the gateway whatever the register was.
    package init(_ kind: ValueKind) {
        switch kind {
        case .boolean: self = .boolean
        case .integer: self = .int64
        case .real: self = .double
        case .text, .none: self = .string
        }
    }
}
