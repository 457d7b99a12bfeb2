import sql, { empty } from 'sql-template-tag'
import { may } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { fieldError, KithError, notFound } from '../../kernel/errors.js'
import { feedEnds } from '../../kernel/events.js'
import { operation, value, type Operation } from '../../kernel/operation.js'
import { allResources } from '../../kernel/resource.js'
import { About, Closed, Enum, Instant, Integer, Nullable, Type } from '../../kernel/schema.js'
import { byId } from '../../kernel/standard-schemas.js'
import { byDelivery, deliveryOf, deliverySchema, Sequence } from './deliveries.js'
import { eventCondition, type EventFilter } from './matching.js'
import { countGivenUp, lockEndpoint } from './given-up.js'
import { webhooks } from './resource.js'
import { guard } from './writer.js'

const portion = 10_000

/** What an endpoint is to get: as much of the row as matching needs. */
export interface Selection {
  [column: string]: unknown
  types: string[]
  filter: EventFilter | null
  skipOwn: boolean
  credentialId: string | null
  scopes: string[]
}

/** The names of the resources whose events all of these sets of scopes allow. */
export const readableBy = (...grants: ReadonlySet<string>[]) =>
  allResources()
    .filter(r => grants.every(scopes => may({ scopes }, r.permissions.read)))
    .map(r => r.name)

const anew = sql`status = 'pending', round = t.round + 1, failures = 0, failing_since = null, next_attempt_at = null, delivered_at = null`

const leftOut = sql`status = 'skipped', round = t.round + 1, next_attempt_at = null`

/** Has the worker look at the endpoint, and shows on it what is given up and since when something waits. */
async function wake(ctx: Context, id: string): Promise<void> {
  const n = await countGivenUp(ctx.db, ctx.workspaceId, id)
  await ctx.db.query(sql`
    with state as (
      update webhook_states set due_at = now()
      where workspace_id = ${ctx.workspaceId} and webhook_id = ${id}
    )
    update webhooks set failed_deliveries = ${n}, oldest_undelivered_at = (
      select d.occurred_at from webhook_deliveries d
      where d.workspace_id = ${ctx.workspaceId} and d.webhook_id = ${id} and d.status = 'pending'
      order by d.sequence limit 1)
    where workspace_id = ${ctx.workspaceId} and id = ${id}`)
}

interface Range {
  from?: string
  to?: string
  since?: string
  until?: string
}

// Events are looked up by their key, whatever the server knows of the table by then.
async function replay(ctx: Context, id: string, { from, to, since, until }: Range) {
  const [endpoint] = await ctx.db.query<Selection>(sql`
    select types, filter, skip_own as "skipOwn", credential_id as "credentialId", scopes from webhooks
    where workspace_id = ${ctx.workspaceId} and id = ${id} and deleted_at is null`)
  if (!endpoint) throw notFound('webhook')
  const readable = readableBy(new Set(endpoint.scopes))
  return ctx.db.query<{ sequence: string }>(sql`
    insert into webhook_deliveries as t (workspace_id, webhook_id, event_id, sequence, type, resource, record_id,
      occurred_at, created_at)
    select ${ctx.workspaceId}, s.webhook_id, e.id, l.sequence, e.type, e.resource, e.record_id, e.occurred_at,
      date_trunc('milliseconds', clock_timestamp())
    from webhook_states s
    join event_log l on l.workspace_id = s.workspace_id and l.sequence <= s.cursor
    cross join lateral (
      select * from events e where e.workspace_id = ${ctx.workspaceId} and e.id = l.event_id offset 0
    ) e
    where s.workspace_id = ${ctx.workspaceId} and s.webhook_id = ${id}
      and l.sequence between ${from ?? '1'}::bigint and ${to ?? '999999999999999999'}::bigint
      ${since === undefined ? empty : sql`and l.recorded_at >= ${since}::timestamptz`}
      ${until === undefined ? empty : sql`and l.recorded_at <= ${until}::timestamptz`}
      and ${eventCondition(ctx, endpoint, readable)}
    order by l.sequence limit ${portion}
    on conflict (workspace_id, webhook_id, event_id) do update set ${anew}
    returning t.sequence::text as sequence`)
}

const restart = (ctx: Context, id: string, { from, to, since, until }: Range) =>
  ctx.db.query<{ sequence: string }>(sql`
    update webhook_deliveries t set ${anew}
    where workspace_id = ${ctx.workspaceId} and webhook_id = ${id} and status = 'failed'
      and sequence between ${from ?? '1'}::bigint and ${to ?? '999999999999999999'}::bigint
      ${since === undefined ? empty : sql`and occurred_at >= ${since}::timestamptz`}
      ${until === undefined ? empty : sql`and occurred_at <= ${until}::timestamptz`}
    returning sequence::text as sequence`)

async function refuseForgotten(ctx: Context, from: string): Promise<void> {
  const { forgotten } = await feedEnds(ctx)
  if (forgotten === '0' || BigInt(from) > BigInt(forgotten)) return
  const message = `Events up to ${forgotten} are no longer kept: those after it can be sent.`
  throw new KithError('events_forgotten', message, {
    errors: [{ in: 'body', pointer: '/from', code: 'forgotten', message }],
    extra: { startAfter: forgotten }
  })
}

const greatest = (rows: { sequence: string }[]) =>
  rows.reduce((most, { sequence }) => (BigInt(sequence) > most ? BigInt(sequence) : most), 0n)

async function resendRange(ctx: Context, id: string, range: Range & { status?: string }) {
  if (range.from === undefined && range.since === undefined) {
    throw fieldError('invalid_input', '/from', 'Say from which sequence on, or since when.', 'required')
  }
  const failed = range.status === 'failed'
  if (!failed && range.from !== undefined) await refuseForgotten(ctx, range.from)
  await lockEndpoint(ctx.db, ctx.workspaceId, id)
  const rows = failed ? await restart(ctx, id, range) : await replay(ctx, id, range)
  await wake(ctx, id)
  const more = !failed && rows.length === portion
  return { count: rows.length, nextSequence: more ? String(greatest(rows) + 1n) : null }
}

async function settle(ctx: Context, id: string, deliveryId: string, skip: boolean) {
  await lockEndpoint(ctx.db, ctx.workspaceId, id)
  const rows = await ctx.db.query(sql`
    update webhook_deliveries t set ${skip ? leftOut : anew}
    where workspace_id = ${ctx.workspaceId} and webhook_id = ${id} and event_id = ${deliveryId}
      ${skip ? sql`and status in ('failed', 'pending')` : empty} returning 1`)
  const delivery = await deliveryOf(ctx, id, deliveryId)
  if (rows.length === 0) throw new KithError('unprocessable', `It is ${delivery.status} already.`)
  await wake(ctx, id)
  return delivery
}

const common = {
  kind: 'write',
  permission: webhooks.permissions.write,
  status: 202,
  atomic: true
} as const

/** Sending again, and giving up. */
export const resendOperations: Operation[] = [
  operation({
    ...common,
    name: 'webhooks.resend',
    summary: 'Send a range of events again',
    description:
      'Those of the feed that the webhook gets by its types and filter, also from before it was made, in order; by sequence or by when they came into the feed. With `status: failed` only deliveries that were given up. Up to 10,000 events a call: go on from `nextSequence`.',
    rest: 'POST /webhooks/:id/resend',
    graphql: 'resendWebhookEvents',
    params: byId,
    body: Closed({
      from: Type.Optional(About('From this sequence on.', Sequence())),
      to: Type.Optional(About('Up to this sequence.', Sequence())),
      since: Type.Optional(About('From then on.', Instant())),
      until: Type.Optional(About('Up to then.', Instant())),
      status: Type.Optional(About('All unless said.', Enum('WebhookResendScope', ['all', 'failed'] as const)))
    }),
    result: value(
      Closed({
        count: About('How many events will be sent again.', Integer(0, portion)),
        nextSequence: About('Where to go on; null where all are taken.', Nullable(Sequence()))
      })
    ),
    async run(ctx, { id, body, expectedVersion }) {
      await guard(ctx, id, expectedVersion)
      return resendRange(ctx, id, body)
    }
  }),
  operation({
    ...common,
    name: 'webhooks.resendDelivery',
    summary: 'Send one event again',
    rest: 'POST /webhooks/:id/deliveries/:deliveryId/resend',
    graphql: 'resendWebhookDelivery',
    params: byDelivery,
    result: value(deliverySchema),
    async run(ctx, { id, deliveryId, expectedVersion }) {
      await guard(ctx, id, expectedVersion)
      return settle(ctx, id, deliveryId, false)
    }
  }),
  operation({
    ...common,
    name: 'webhooks.skipDelivery',
    summary: 'Give up one event',
    description: 'The later events of its record go on.',
    rest: 'POST /webhooks/:id/deliveries/:deliveryId/skip',
    graphql: 'skipWebhookDelivery',
    params: byDelivery,
    result: value(deliverySchema),
    async run(ctx, { id, deliveryId, expectedVersion }) {
      await guard(ctx, id, expectedVersion)
      return settle(ctx, id, deliveryId, true)
    }
  })
]
