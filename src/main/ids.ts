import { randomBytes } from 'node:crypto'
import { idPrefix, type Noun } from '../domain/model/common.ts'

/** Ids of one millisecond are told apart by a counter of 12 bits; where it is used up, the next millisecond begins. */
const countersPerMs = 4096

/**
 * Makes ids: the noun's prefix and a UUIDv7 (RFC 9562) without dashes. They sort by the time they were made, also
 * within a millisecond and when the clock is set back: the order of operations is the order of ids. `randomUUIDv7` of
 * Node gives no order within a millisecond, and one commit of the store holds many.
 * @param clock milliseconds since 1970
 */
export function makeNewId(clock: () => number): (noun: Noun) => string {
  let lastMs = 0
  let counter = 0
  return (noun) => {
    const nowMs = clock()
    if (nowMs > lastMs) [lastMs, counter] = [nowMs, 0]
    else if (++counter === countersPerMs) [lastMs, counter] = [lastMs + 1, 0]
    const random = randomBytes(8)
    // The two highest bits are the variant.
    random.writeUInt8((random.readUInt8(0) & 0x3f) | 0x80, 0)
    const time = lastMs.toString(16).padStart(12, '0')
    return `${idPrefix[noun]}_${time}7${counter.toString(16).padStart(3, '0')}${random.toString('hex')}`
  }
}

/** The platform's own. */
export const newId = makeNewId(Date.now)
