import sql, { empty } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { may } from '../../kernel/authorize.js'
import { notFound, parameterError } from '../../kernel/errors.js'
import { operation, value, type Operation } from '../../kernel/operation.js'
import { findRecord } from '../../kernel/read.js'
import { allResources } from '../../kernel/resource.js'
import {
  About,
  Bool,
  Closed,
  Enum,
  Id,
  Instant,
  Integer,
  Nullable,
  Text,
  Type,
  type Static
} from '../../kernel/schema.js'
import { byId, JsonValue } from '../../kernel/standard-schemas.js'
import { webhooks } from './resource.js'
import { refuseLimited } from './writer.js'

export const Sequence = () => Text(19, { pattern: '^[0-9]{1,18}$', examples: ['4711'] })
const most = 2147483647
const deliveryStatuses = ['pending', 'delivered', 'failed', 'skipped'] as const

const fields = {
  id: Id("The event's id, and the `webhook-id` of every attempt."),
  sequence: About('Where the event stands in the feed; null for a test.', Nullable(Sequence())),
  type: Text(100),
  resource: Text(50),
  recordId: Id(),
  status: About(
    'Pending, also between attempts; delivered; failed: given up; skipped: left out by an operator, or no longer to be had by the credential.',
    Enum('WebhookDeliveryStatus', deliveryStatuses)
  ),
  attempts: Integer(0, most),
  nextAttemptAt: About('When it is tried again after a failure.', Nullable(Instant())),
  createdAt: Instant(),
  deliveredAt: Nullable(Instant()),
  lastStatus: About('The HTTP status of the last attempt.', Nullable(Integer(100, 999))),
  lastError: About('What went wrong with the last attempt.', Nullable(Text(1000)))
}

/** A delivery as the log lists it. */
export const deliverySchema = Closed(fields)

const attemptSchema = Closed({
  number: Integer(1, most),
  at: Instant(),
  durationMs: About('From the start of the request to the end of its answer.', Integer(0, most)),
  url: Text(2000),
  requestHeaders: JsonValue('As sent; the body is the event of that id.'),
  responseStatus: Nullable(Integer(100, 999)),
  responseBody: About('The first 4 KiB of it.', Nullable(Text(5000))),
  error: Nullable(Text(1000))
})

const columns = sql`d.event_id as id, nullif(d.sequence, 0)::text as sequence, d.type, d.resource,
  case when d.sequence = 0 then d.webhook_id else d.record_id end as "recordId",
  d.status, d.attempts, d.next_attempt_at as "nextAttemptAt", d.created_at as "createdAt",
  d.delivered_at as "deliveredAt", a.response_status as "lastStatus", a.error as "lastError"`

const lastAttempt = sql`left join webhook_attempts a on a.workspace_id = d.workspace_id and a.webhook_id = d.webhook_id
  and a.event_id = d.event_id and a.number = d.attempts`

type Delivery = Static<typeof deliverySchema>

/** Throws a 404 unless the workspace has this endpoint, in the bin or not. */
export async function mustExist(ctx: Context, id: string): Promise<void> {
  if (!(await findRecord(ctx, webhooks, id, { fields: ['id'], deleted: true }))) throw notFound('webhook')
}

const encode = (row: Delivery) => Buffer.from(`${row.createdAt} ${row.id}`).toString('base64url')

function decode(cursor: string): { at: string; id: string } {
  const [, at, id] =
    /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z) ([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(
      Buffer.from(cursor, 'base64url').toString()
    ) ?? []
  if (at === undefined || Number.isNaN(Date.parse(at))) {
    throw parameterError('after', 'This is not a cursor of ours.', 'invalid_cursor')
  }
  return { at, id: id! }
}

// Of what happens to records that the caller may not read the log tells nothing.
const readableTo = (ctx: Context) =>
  allResources()
    .filter(r => may(ctx, r.permissions.read))
    .map(r => r.name)

interface Page {
  status?: string | undefined
  recordId?: string | undefined
  after?: string | undefined
  limit: number
}

async function deliveriesOf(ctx: Context, id: string, { status, recordId, after, limit }: Page) {
  const last = after === undefined ? undefined : decode(after)
  await mustExist(ctx, id)
  const rows = await ctx.db.query<Delivery>(sql`
    select ${columns} from webhook_deliveries d ${lastAttempt}
    where d.workspace_id = ${ctx.workspaceId} and d.webhook_id = ${id}
      and d.resource = any(${readableTo(ctx)}::text[])
      ${status === undefined ? empty : sql`and d.status = ${status}`}
      ${recordId === undefined ? empty : sql`and (d.record_id = ${recordId} or d.sequence = 0 and d.webhook_id = ${recordId})`}
      ${last ? sql`and (d.created_at, d.event_id) < (${last.at}::timestamptz, ${last.id}::uuid)` : empty}
    order by d.created_at desc, d.event_id desc limit ${limit + 1}`)
  const data = rows.slice(0, limit)
  const hasMore = rows.length > limit
  return { data, page: { hasMore, nextCursor: hasMore ? encode(data.at(-1)!) : null } }
}

/** One delivery of an endpoint; a 404 where there is none. */
export async function deliveryOf(ctx: Context, id: string, deliveryId: string): Promise<Delivery> {
  const [row] = await ctx.db.query<Delivery>(sql`
    select ${columns} from webhook_deliveries d ${lastAttempt}
    where d.workspace_id = ${ctx.workspaceId} and d.webhook_id = ${id} and d.event_id = ${deliveryId}`)
  if (!row) throw notFound('delivery')
  return row
}

const attemptsOf = (ctx: Context, id: string, deliveryId: string) =>
  ctx.db.query<Static<typeof attemptSchema>>(sql`
    select a.number, a.at, a.duration_ms as "durationMs", a.url, a.request_headers as "requestHeaders",
      a.response_status as "responseStatus", a.response_body as "responseBody", a.error
    from webhook_attempts a
    where a.workspace_id = ${ctx.workspaceId} and a.webhook_id = ${id} and a.event_id = ${deliveryId}
    order by a.number desc limit 200`)

export const byDelivery = Closed({ id: Id(), deliveryId: Id('The id of the event.') })
const common = { kind: 'read', permission: webhooks.permissions.read } as const

/** Reading the delivery log, which tells of records of all owners. */
export const deliveryReads: Operation[] = [
  operation({
    ...common,
    name: 'webhooks.deliveries',
    summary: 'List the deliveries of a webhook, latest first',
    description:
      'As with all of its log, the credential must see all records; it is told of those of kinds that it may read.',
    rest: 'GET /webhooks/:id/deliveries',
    graphql: 'webhookDeliveries',
    params: byId,
    query: Closed({
      status: Type.Optional(
        About('Only those in this state.', Enum('WebhookDeliveryStatus', deliveryStatuses))
      ),
      recordId: Type.Optional(Id('Only events of this record.')),
      limit: Type.Optional(About('How many at most; 50 unless said.', Integer(1, 200))),
      after: Type.Optional(Text(1000, { description: 'A cursor of the page before.' }))
    }),
    result: value(
      Closed({
        data: Type.Array(deliverySchema),
        page: Closed({ hasMore: Bool(), nextCursor: Nullable(Text(1000)) })
      })
    ),
    async run(ctx, { id, limit = 50, ...filter }) {
      refuseLimited(ctx)
      return deliveriesOf(ctx, id, { ...filter, limit })
    }
  }),
  operation({
    ...common,
    name: 'webhooks.delivery',
    summary: 'Get one delivery with its attempts, latest first',
    description: 'What was sent and what came back: status, first 4 KiB, time; the last 200 attempts.',
    rest: 'GET /webhooks/:id/deliveries/:deliveryId',
    graphql: 'webhookDelivery',
    params: byDelivery,
    result: value(Closed({ ...fields, log: Type.Array(attemptSchema) })),
    async run(ctx, { id, deliveryId }) {
      refuseLimited(ctx)
      const delivery = await deliveryOf(ctx, id, deliveryId)
      if (!readableTo(ctx).includes(delivery.resource)) throw notFound('delivery')
      return { ...delivery, log: await attemptsOf(ctx, id, deliveryId) }
    }
  })
]
