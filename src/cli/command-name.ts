/** The program as the person called it: `./valkeep` in a clone, `valkeep` where it is installed. */

const commands =
  'up|down|status|doctor|instance|user|operation|tenant|shard|node|key|stack|completion|help|version|--[a-z]+'
const line = new RegExp(`(?<![\\w./-])valkeep (?=(?:${commands})\\b)`, 'g')

/** A text for a person in which every `valkeep COMMAND` can be typed as it stands. */
export const asCalled = (text: string, command: string): string => text.replace(line, () => `${command} `)
