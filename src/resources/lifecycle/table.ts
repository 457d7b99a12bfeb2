import { bigint, index, pgTable, primaryKey, text, uuid } from 'drizzle-orm/pg-core'
import { instant } from '../../database/columns.js'

/**
 * Which lifecycle stage a contact or company entered when, kept for ever; without a stage it left the one before. The
 * last row by (at, seq) is where it is; `seq` is drawn after the record was locked.
 */
export const lifecycleHistory = pgTable(
  'lifecycle_history',
  {
    workspaceId: uuid('workspace_id').notNull(),
    resource: text('resource').notNull(),
    recordId: uuid('record_id').notNull(),
    at: instant('at').notNull(),
    seq: bigint('seq', { mode: 'bigint' }).notNull(),
    id: uuid('id').notNull().defaultRandom(),
    recordedAt: instant('recorded_at').notNull(),
    stage: text('stage'),
    actorType: text('actor_type').notNull(),
    actorId: uuid('actor_id')
  },
  t => [
    primaryKey({
      name: 'lifecycle_history_pkey',
      columns: [t.workspaceId, t.resource, t.recordId, t.at, t.seq]
    }),
    index('lifecycle_history_stage').on(t.workspaceId, t.resource, t.stage, t.recordId, t.at)
  ]
)
