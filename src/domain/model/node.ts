import { z } from 'zod'
import { idSchema, slugSchema, type Timestamp, timestampSchema } from './common.ts'

export type Node = {
  id: string
  name: string
  /** Address that servers on it listen on and clients connect to. */
  address: string
  /** The platform reaches this node's agent: `local` in-process, `none` not at all. */
  agent: 'local' | 'none'
  capacityMb: number
  portMin: number
  portMax: number
  createdAt: Timestamp
  updatedAt: Timestamp
  revision: number
}

export const nodeView = z
  .object({
    id: idSchema('node'),
    name: slugSchema,
    address: z.string(),
    agent: z.enum(['local', 'none']),
    capacity_mb: z.int().meta({ description: 'Memory for instances in MiB, before overcommit' }),
    reserved_mb: z.int().meta({ description: 'Sum of max_memory_mb of the instances placed here, in MiB' }),
    port_min: z.int(),
    port_max: z.int(),
    created_at: timestampSchema,
    updated_at: timestampSchema,
  })
  .meta({ id: 'Node' })
