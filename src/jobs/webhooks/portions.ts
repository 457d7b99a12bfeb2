import sql from 'sql-template-tag'
import type { Context, Db } from '../../kernel/context.js'
import { eventColumns, type EventRow } from '../../kernel/events.js'
import { eventCondition } from '../../resources/webhooks/matching.js'
import type { Endpoint, Lease } from './lease.js'

const dispatchedAtOnce = 500
/** How many deliveries are taken from the database at once. */
export const claimedAtOnce = 64

/**
 * Follows the log of events a portion further: what the endpoint is to get becomes pending deliveries. Answers how
 * many events were looked at. The events are looked up by their key whatever the server knows of the table by then.
 */
export async function dispatch(
  ctx: Context,
  { workspaceId, webhookId, leaseId }: Lease,
  endpoint: Endpoint,
  readable: readonly string[]
): Promise<number> {
  const [row] = await ctx.db.query<{ n: number }>(sql`
    with state as (
      select s.cursor from webhook_states s
      where s.workspace_id = ${workspaceId} and s.webhook_id = ${webhookId} and s.lease_id = ${leaseId} for update
    ), portion as materialized (
      select l.sequence, l.event_id from event_log l, state
      where l.workspace_id = ${workspaceId} and l.sequence > state.cursor order by l.sequence limit ${dispatchedAtOnce}
    ), inserted as (
      insert into webhook_deliveries (workspace_id, webhook_id, event_id, sequence, type, resource, record_id,
        occurred_at, created_at)
      select ${workspaceId}, ${webhookId}, e.id, p.sequence, e.type, e.resource, e.record_id, e.occurred_at,
        clock_timestamp()
      from portion p cross join lateral (
        select * from events e where e.workspace_id = ${workspaceId} and e.id = p.event_id offset 0
      ) e
      where ${eventCondition(ctx, endpoint, readable)}
      on conflict (workspace_id, webhook_id, event_id) do nothing
    ), moved as (
      update webhook_states s set cursor = (select max(sequence) from portion)
      where s.workspace_id = ${workspaceId} and s.webhook_id = ${webhookId} and exists (select from portion)
    )
    select count(*)::int as n from portion`)
  return row!.n
}

/** A delivery that is due, with its event. */
export interface Due extends EventRow {
  eventId: string
  streamId: string
  /** What the event is about. */
  about: string
  /** Whether the event is still kept. */
  kept: boolean
  round: number
  failures: number
  failingSince: string | null
  /** Of a test event. */
  body: Record<string, unknown> | null
}

const columns = sql`d.event_id as "eventId", d.record_id as "streamId", d.resource as about,
  (e.id is not null or d.body is not null) as kept, d.round, d.failures, d.failing_since as "failingSince", d.body,
  ${eventColumns}`

const withEvents = sql`left join events e on e.workspace_id = d.workspace_id and e.id = d.event_id
  left join event_log l on l.workspace_id = d.workspace_id and l.sequence = d.sequence`

/**
 * Deliveries that are due, in order, of records that are not busy. A record of which one delivery waits or is given up
 * is left out from there on.
 */
export const claim = (db: Db, { workspaceId, webhookId }: Lease, busy: readonly string[]) =>
  db.query<Due>(sql`
    select ${columns} from (
      select * from webhook_deliveries d
      where d.workspace_id = ${workspaceId} and d.webhook_id = ${webhookId} and d.status = 'pending'
        and not d.record_id = any(${busy}::uuid[])
        and not exists (
          select from webhook_deliveries w
          where w.workspace_id = ${workspaceId} and w.webhook_id = ${webhookId} and w.record_id = d.record_id
            and (w.status = 'failed' or w.next_attempt_at > now()) and w.sequence <= d.sequence)
      order by d.sequence limit ${claimedAtOnce}
    ) d ${withEvents} order by d.sequence`)

/** The one delivery that finds out whether the endpoint is back: the oldest of those least often tried. */
export const claimProbe = (db: Db, { workspaceId, webhookId }: Lease) =>
  db.query<Due>(sql`
    select ${columns} from (
      select * from webhook_deliveries d
      where d.workspace_id = ${workspaceId} and d.webhook_id = ${webhookId} and d.status = 'pending'
        and not exists (
          select from webhook_deliveries w
          where w.workspace_id = ${workspaceId} and w.webhook_id = ${webhookId} and w.record_id = d.record_id
            and w.status in ('pending', 'failed') and w.sequence < d.sequence)
      order by d.failures, d.sequence limit 1
    ) d ${withEvents}`)
