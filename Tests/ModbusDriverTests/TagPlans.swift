// A tag of a plan in one line, for all tests of the driver.

import Acquisition
import GatewayModel
import ModbusDriver

func tagPlan(
    _ index: Int, _ table: RegisterTable, _ address: Int, _ type: RegisterType = .u16, order: WordOrder = .abcd,
    words: Int? = nil, bits: ClosedRange<Int>? = nil, normalisation: NormalisationPlan = NormalisationPlan()
) -> ModbusTagPlan {
    ModbusTagPlan(
        tag: TagID(index), name: "tag_\(index)", at: RegisterAddress(table, UInt16(address), bits: bits), type: type,
        order: order, words: words, normalisation: normalisation)
}
