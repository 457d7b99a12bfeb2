import type { NewRow } from './write.js'

/** What is about to be written of a record, before it is; `created` tells a new record from a changed one. */
export interface Proposal {
  id: string
  values: Record<string, unknown>
  created: boolean
  /** The external id it is upserted by: claimed by the write itself, so nobody's having it speaks against it. */
  claim?: NewRow['claim']
  /** Fields taken over from another record: what they refer to is kept, whatever became of it. */
  inherited?: ReadonlySet<string>
  /** What the check found out and the write needs. */
  prepared?: unknown
}
