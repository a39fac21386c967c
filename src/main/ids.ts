import { randomUUIDv7 } from 'node:crypto'
import { idPrefix, type Noun } from '../domain/model/common.ts'

/** A new id: the noun's prefix and a UUIDv7 without dashes, so that ids sort by the time they were made. */
export const newId = (noun: Noun): string => `${idPrefix[noun]}_${randomUUIDv7().replaceAll('-', '')}`
