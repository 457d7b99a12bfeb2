import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  foreignKey,
  index,
  integer,
  json,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uuid,
  type AnyPgColumn
} from 'drizzle-orm/pg-core'
import { instant, recordColumns, recordIndexes } from '../../database/columns.js'

/** Endpoints. Their secrets stand as they are, since signing needs them; no field shows them. */
export const webhooks = pgTable(
  'webhooks',
  {
    ...recordColumns(),
    url: text('url').notNull(),
    description: text('description'),
    types: text('types').array().notNull().default(['*']),
    filter: jsonb('filter').$type<Record<string, unknown>>(),
    payload: text('payload').notNull().default('full'),
    enabled: boolean('enabled').notNull().default(true),
    skipOwn: boolean('skip_own').notNull().default(false),
    status: text('status').notNull().default('active'),
    statusReason: text('status_reason'),
    consecutiveFailures: integer('consecutive_failures').notNull().default(0),
    failedDeliveries: integer('failed_deliveries').notNull().default(0),
    lastDeliveredAt: instant('last_delivered_at'),
    lastFailureAt: instant('last_failure_at'),
    lastError: text('last_error'),
    oldestUndeliveredAt: instant('oldest_undelivered_at'),
    parkedAt: instant('parked_at'),
    previousSecretExpiresAt: instant('previous_secret_expires_at'),
    credentialType: text('credential_type').notNull(),
    credentialId: uuid('credential_id'),
    scopes: text('scopes').array().notNull(),
    secret: text('secret').notNull(),
    previousSecret: text('previous_secret')
  },
  t => recordIndexes('webhooks', t)
)

const ofWebhook = (name: string, t: { workspaceId: AnyPgColumn; webhookId: AnyPgColumn }) =>
  foreignKey({
    name: `${name}_webhook_fkey`,
    columns: [t.workspaceId, t.webhookId],
    foreignColumns: [webhooks.workspaceId, webhooks.id]
  })

/** Where the worker stands with an endpoint: how far it followed the events, who delivers, when to go on. */
export const webhookStates = pgTable(
  'webhook_states',
  {
    workspaceId: uuid('workspace_id').notNull(),
    webhookId: uuid('webhook_id').notNull(),
    /** The last sequence that was looked at for this endpoint. */
    cursor: bigint('cursor', { mode: 'bigint' }).notNull(),
    leaseId: uuid('lease_id'),
    /** Of one that is in nobody's hands: until when it was in somebody's. */
    leaseUntil: instant('lease_until'),
    /** When a delivery is due; null while there is none. */
    dueAt: instant('due_at'),
    /** Until when nothing is tried, after the endpoint failed as a whole. */
    holdUntil: instant('hold_until'),
    holds: integer('holds').notNull().default(0),
    failingSince: instant('failing_since'),
    /** How many deliveries may be under way at once. */
    width: integer('width').notNull().default(1)
  },
  t => [
    primaryKey({ name: 'webhook_states_pkey', columns: [t.workspaceId, t.webhookId] }),
    ofWebhook('webhook_states', t)
  ]
)

/** An event that an endpoint is to get, or got. One that is `failed` holds back the later ones of its record. */
export const webhookDeliveries = pgTable(
  'webhook_deliveries',
  {
    workspaceId: uuid('workspace_id').notNull(),
    webhookId: uuid('webhook_id').notNull(),
    eventId: uuid('event_id').notNull(),
    /** 0 for a test event, which is in nobody's feed. */
    sequence: bigint('sequence', { mode: 'bigint' }).notNull(),
    type: text('type').notNull(),
    resource: text('resource').notNull(),
    recordId: uuid('record_id').notNull(),
    occurredAt: instant('occurred_at').notNull(),
    status: text('status').notNull().default('pending'),
    attempts: integer('attempts').notNull().default(0),
    /** Failed attempts since it was last begun anew. */
    failures: integer('failures').notNull().default(0),
    failingSince: instant('failing_since'),
    /** Grows when an operator has it begun anew or left out: what is under way then decides nothing any more. */
    round: integer('round').notNull().default(0),
    nextAttemptAt: instant('next_attempt_at'),
    createdAt: instant('created_at').notNull(),
    deliveredAt: instant('delivered_at'),
    /** The body of a test event; others are made of their event. */
    body: json('body')
  },
  t => [
    primaryKey({ name: 'webhook_deliveries_pkey', columns: [t.workspaceId, t.webhookId, t.eventId] }),
    ofWebhook('webhook_deliveries', t),
    index('webhook_deliveries_log').on(t.workspaceId, t.webhookId, t.createdAt, t.eventId),
    index('webhook_deliveries_pending')
      .on(t.workspaceId, t.webhookId, t.sequence)
      .where(sql`status = 'pending'`),
    index('webhook_deliveries_stream')
      .on(t.workspaceId, t.webhookId, t.recordId, t.sequence)
      .where(sql`status in ('pending', 'failed')`),
    index('webhook_deliveries_waiting')
      .on(t.workspaceId, t.webhookId, t.recordId)
      .where(sql`status = 'failed' or next_attempt_at is not null`),
    index('webhook_deliveries_old')
      .on(t.createdAt)
      .where(sql`status in ('delivered', 'skipped')`)
  ]
)

/** Every request that was sent, and what came back. */
export const webhookAttempts = pgTable(
  'webhook_attempts',
  {
    workspaceId: uuid('workspace_id').notNull(),
    webhookId: uuid('webhook_id').notNull(),
    eventId: uuid('event_id').notNull(),
    number: integer('number').notNull(),
    at: instant('at').notNull(),
    durationMs: integer('duration_ms').notNull(),
    url: text('url').notNull(),
    requestHeaders: json('request_headers').$type<Record<string, string>>().notNull(),
    responseStatus: integer('response_status'),
    responseBody: text('response_body'),
    error: text('error')
  },
  t => [
    primaryKey({
      name: 'webhook_attempts_pkey',
      columns: [t.workspaceId, t.webhookId, t.eventId, t.number]
    })
  ]
)
