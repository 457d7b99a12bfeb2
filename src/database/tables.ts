import { sql } from 'drizzle-orm'
import {
  bigint,
  index,
  integer,
  json,
  jsonb,
  pgSequence,
  pgTable,
  primaryKey,
  text,
  uuid
} from 'drizzle-orm/pg-core'
import { instant } from './columns.js'

/** Which record a partner's own id stands for; the key makes fifty concurrent upserts one record. */
export const externalIds = pgTable(
  'external_ids',
  {
    workspaceId: uuid('workspace_id').notNull(),
    resource: text('resource').notNull(),
    source: text('source').notNull(),
    externalId: text('external_id').notNull(),
    recordId: uuid('record_id').notNull()
  },
  t => [
    primaryKey({
      name: 'external_ids_pkey',
      columns: [t.workspaceId, t.resource, t.source, t.externalId]
    })
  ]
)

/** Drawn after a record is locked, so it grows in the order in which a record changed. */
export const eventOrder = pgSequence('event_order', { cache: 1 })

/** One row for each change of a record, written with the change. */
export const events = pgTable(
  'events',
  {
    workspaceId: uuid('workspace_id').notNull(),
    id: uuid('id').notNull(),
    ord: bigint('ord', { mode: 'bigint' }).notNull(),
    type: text('type').notNull(),
    resource: text('resource').notNull(),
    recordId: uuid('record_id').notNull(),
    occurredAt: instant('occurred_at').notNull(),
    actorType: text('actor_type').notNull(),
    actorId: uuid('actor_id'),
    requestId: text('request_id').notNull(),
    idempotencyKey: text('idempotency_key'),
    data: json('data').notNull(),
    previous: jsonb('previous')
  },
  t => [
    primaryKey({ name: 'events_pkey', columns: [t.workspaceId, t.id] }),
    index('events_record').on(t.workspaceId, t.resource, t.recordId)
  ]
)

/** Committed events that have no sequence yet. */
export const eventOutbox = pgTable(
  'event_outbox',
  {
    workspaceId: uuid('workspace_id').notNull(),
    ord: bigint('ord', { mode: 'bigint' }).notNull(),
    eventId: uuid('event_id').notNull()
  },
  t => [primaryKey({ name: 'event_outbox_pkey', columns: [t.workspaceId, t.ord] })]
)

/** The order in which readers see events: gapless per workspace, given by one sequencer after commit. */
export const eventLog = pgTable(
  'event_log',
  {
    workspaceId: uuid('workspace_id').notNull(),
    sequence: bigint('sequence', { mode: 'bigint' }).notNull(),
    eventId: uuid('event_id').notNull(),
    recordedAt: instant('recorded_at').notNull()
  },
  t => [primaryKey({ name: 'event_log_pkey', columns: [t.workspaceId, t.sequence] })]
)

/** The last sequence given, and the last one whose event is no longer kept; one row a workspace. */
export const eventHeads = pgTable('event_heads', {
  workspaceId: uuid('workspace_id').primaryKey(),
  sequence: bigint('sequence', { mode: 'bigint' }).notNull(),
  forgotten: bigint('forgotten', { mode: 'bigint' })
    .notNull()
    .default(sql`0`)
})

/** Who changed which fields of a record and when, before and after; kept for ever. The id is the event's. */
export const recordChanges = pgTable(
  'record_changes',
  {
    workspaceId: uuid('workspace_id').notNull(),
    id: uuid('id').notNull(),
    resource: text('resource').notNull(),
    recordId: uuid('record_id').notNull(),
    version: integer('version').notNull(),
    at: instant('at').notNull(),
    actorType: text('actor_type').notNull(),
    actorId: uuid('actor_id'),
    requestId: text('request_id').notNull(),
    before: jsonb('before').notNull(),
    after: jsonb('after').notNull()
  },
  t => [
    primaryKey({ name: 'record_changes_pkey', columns: [t.workspaceId, t.id] }),
    index('record_changes_record').on(t.workspaceId, t.resource, t.recordId, t.version),
    index('record_changes_time').on(t.workspaceId, t.resource, t.recordId, t.at, t.id)
  ]
)

/** Answers of successful writes, replayed when their Idempotency-Key comes again. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    workspaceId: uuid('workspace_id').notNull(),
    owner: text('owner').notNull(),
    key: text('key').notNull(),
    fingerprint: text('fingerprint').notNull(),
    status: integer('status').notNull(),
    headers: json('headers').$type<Record<string, string>>().notNull(),
    body: text('body').notNull(),
    createdAt: instant('created_at').notNull()
  },
  t => [
    primaryKey({ name: 'idempotency_keys_pkey', columns: [t.workspaceId, t.owner, t.key] }),
    index('idempotency_keys_created').on(t.createdAt)
  ]
)
