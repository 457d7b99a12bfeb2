import sql from 'sql-template-tag'
import type { Db } from '../../kernel/context.js'
import type { Circuit } from './circuit.js'
import type { Lease } from './lease.js'
import { leaseMs } from './lease.js'

/** One attempt and what it makes of its delivery. */
export interface Result {
  id: string
  /** Which round of the delivery the attempt was made in; in a later one it changes nothing. */
  round: number
  status: 'delivered' | 'pending' | 'failed'
  /** Milliseconds to the next attempt; null where there is none of itself. */
  delay: number | null
  at: string
  ms: number
  url: string
  headers: Record<string, string>
  code: number | null
  body: string | null
  error: string | null
}

/** What a statement that stores results found: whether the endpoint is still ours, and how many deliveries it gave up. */
interface Stored {
  [column: string]: unknown
  held: boolean
  givenUp: number
}

/**
 * Stores what became of attempts, with their log and how the endpoint fares, in one statement. Where another process has
 * taken the endpoint over nothing is stored.
 */
export async function storeResults(
  db: Db,
  { workspaceId, webhookId, leaseId }: Lease,
  circuit: Circuit,
  results: readonly Result[]
): Promise<Stored> {
  const hold = circuit.holdUntil === null ? null : circuit.holdUntil - Date.now()
  const since = circuit.failingSince === null ? null : new Date(circuit.failingSince).toISOString()
  const [row] = await db.query<Stored>(sql`
    with held as (
      update webhook_states s set lease_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond',
        hold_until = clock_timestamp() + ${hold}::float8 * interval '1 millisecond', holds = ${circuit.holds},
        failing_since = ${since}::timestamptz, width = ${circuit.width}
      where s.workspace_id = ${workspaceId} and s.webhook_id = ${webhookId} and s.lease_id = ${leaseId} returning 1
    ), result as materialized (
      select * from json_to_recordset(${JSON.stringify(results)}::json) as x(id uuid, round int, status text, delay float8,
        at timestamptz, ms int, url text, headers json, code int, body text, error text)
    ), done as (
      update webhook_deliveries d set attempts = d.attempts + 1,
        status = case when r.round = d.round then r.status else d.status end,
        failures = case when r.round <> d.round then d.failures when r.error is null then 0 else d.failures + 1 end,
        failing_since = case when r.round <> d.round then d.failing_since
          when r.error is not null then coalesce(d.failing_since, r.at) end,
        next_attempt_at = case when r.round = d.round then clock_timestamp() + r.delay * interval '1 millisecond' end,
        delivered_at = case when r.round = d.round and r.status = 'delivered'
          then r.at + r.ms * interval '1 millisecond' end
      from result r, held
      where d.workspace_id = ${workspaceId} and d.webhook_id = ${webhookId}
        and d.event_id = any(${results.map(r => r.id)}::uuid[]) and d.event_id = r.id
      returning d.event_id, d.attempts, d.status = 'failed' and r.round = d.round as given_up
    ), logged as (
      insert into webhook_attempts (workspace_id, webhook_id, event_id, number, at, duration_ms, url, request_headers,
        response_status, response_body, error)
      select ${workspaceId}, ${webhookId}, r.id, done.attempts, r.at, r.ms, r.url, r.headers, r.code, r.body, r.error
      from done join result r on r.id = done.event_id
    )
    select exists (select from held) as held,
      (select count(*)::int from done where given_up) as "givenUp"`)
  return row!
}

/** Leaves deliveries out: their event is gone, or the endpoint may not get it any more. */
export async function skip(db: Db, { workspaceId, webhookId }: Lease, ids: readonly string[]): Promise<void> {
  await db.query(sql`
    update webhook_deliveries set status = 'skipped', next_attempt_at = null
    where workspace_id = ${workspaceId} and webhook_id = ${webhookId} and event_id = any(${ids}::uuid[])
      and status = 'pending'`)
}

/** Has every delivery that waits tried at once, now that the endpoint is back. */
export async function endWaits(db: Db, { workspaceId, webhookId }: Lease): Promise<void> {
  await db.query(sql`
    update webhook_deliveries set next_attempt_at = null
    where workspace_id = ${workspaceId} and webhook_id = ${webhookId} and status = 'pending'
      and next_attempt_at is not null`)
}

/** Shows on the endpoint how it fares, where that is something new: no change of the record, so without an event. */
export async function show(
  db: Db,
  { workspaceId, webhookId }: Lease,
  {
    failures,
    deliveredAt,
    failedAt,
    error,
    broken
  }: {
    failures: number
    deliveredAt: string | null
    failedAt: string | null
    error: string | null
    broken: boolean
  }
): Promise<void> {
  const fails = failures > 0 || broken
  // Worked out of the row as it is once locked: an operator may switch the endpoint off at this moment.
  const status = sql`case when w.status in ('active', 'failing') then ${fails ? 'failing' : 'active'} else w.status end`
  const delivered = sql`coalesce(${deliveredAt}::timestamptz, w.last_delivered_at)`
  const failed = sql`coalesce(${failedAt}::timestamptz, w.last_failure_at)`
  const wrong = sql`case when ${fails}::boolean then coalesce(${error}::text, w.last_error) end`
  await db.query(sql`
    update webhooks w set consecutive_failures = ${failures}, status = ${status}, last_delivered_at = ${delivered},
      last_failure_at = ${failed}, last_error = ${wrong}, oldest_undelivered_at = open.oldest
    from (select (
      select d.occurred_at from webhook_deliveries d
      where d.workspace_id = ${workspaceId} and d.webhook_id = ${webhookId} and d.status = 'pending'
      order by d.sequence limit 1) as oldest) open
    where w.workspace_id = ${workspaceId} and w.id = ${webhookId}
      and (w.consecutive_failures, w.status, w.last_delivered_at, w.last_failure_at, w.last_error,
        w.oldest_undelivered_at)
        is distinct from (${failures}::int, ${status}, ${delivered}, ${failed}, ${wrong}, open.oldest)`)
}
