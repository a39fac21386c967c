/** Rule lists with a name. A privileges list may be one preset's name, alone; the tenant ceiling lies over them too. */

/** Every preset lets a client library connect: `+@connection` here, and the ceiling's connect set (ceiling.ts). */
export const PRESETS = {
  /** Read every kind of value; writes nothing, runs no scripts. */
  'read-only': ['+@read', '+@connection', '+@transaction'],
  /** Read and write every kind of value; no scripts, no publish and subscribe. */
  'read-write': ['+@read', '+@write', '+@connection', '+@transaction'],
  /** All that a tenant may do. */
  full: ['+@all'],
  /** Publish and subscribe, on the channels of the user's channel pattern (default none); no keys. */
  pubsub: ['+@pubsub', '+@connection'],
  /** What job queues stand on: lists, streams, sorted sets, hashes, counters, blocking pops, scripts, events. */
  queue: [
    '+@list',
    '+@stream',
    '+@sortedset',
    '+@set',
    '+@hash',
    '+@string',
    '+@keyspace',
    '+@blocking',
    '+@transaction',
    '+@scripting',
    '+@pubsub',
    '+@connection',
  ],
} as const satisfies Record<string, readonly string[]>

export type PresetName = keyof typeof PRESETS

/** Whether a string is a preset's name, exactly (lower case). */
export function isPresetName(value: string): value is PresetName {
  return Object.hasOwn(PRESETS, value)
}

/** Every preset's name, for a schema. */
export const presetNames = Object.keys(PRESETS) as [PresetName, ...PresetName[]]
