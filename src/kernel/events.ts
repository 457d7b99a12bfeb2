import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { may } from './authorize.js'
import type { Context, Database, Db, Row, Transaction } from './context.js'
import { allResources } from './resource.js'

const portion = 5000

/**
 * Gives the committed events of a workspace their sequence, in the order of `ord`. Only one sequencer runs at a time;
 * the lock is taken in a statement of its own so that the next one sees all that was committed before it.
 */
async function sequencePortion(db: Db, workspaceId: string): Promise<number> {
  await db.query(sql`select pg_advisory_xact_lock(hashtextextended(${`events\n${workspaceId}`}, 0))`)
  const [row] = await db.query<{ n: number }>(sql`
    with due as (
      select ord from event_outbox where workspace_id = ${workspaceId} order by ord limit ${portion}
    ), taken as (
      delete from event_outbox o using due
      where o.workspace_id = ${workspaceId} and o.ord = due.ord returning o.ord, o.event_id
    ), head as (
      insert into event_heads as h (workspace_id, sequence)
      select ${workspaceId}, count(*) from taken having count(*) > 0
      on conflict (workspace_id) do update set sequence = h.sequence + excluded.sequence returning sequence
    ), logged as (
      insert into event_log (workspace_id, sequence, event_id, recorded_at)
      select ${workspaceId}, head.sequence - count(*) over () + row_number() over (order by taken.ord),
        taken.event_id, date_trunc('milliseconds', clock_timestamp())
      from taken, head returning 1
    )
    select count(*)::int as n from logged`)
  return row!.n
}

/** Sequences all that is committed in a workspace, inside a transaction that must know where the feed stands. */
export async function sequenceWithin(db: Transaction, workspaceId: string): Promise<void> {
  while ((await sequencePortion(db, workspaceId)) === portion);
}

/** Sequences all that is committed in a workspace; cheap when nothing is. */
export async function sequenceEvents(database: Database, workspaceId: string): Promise<void> {
  for (;;) {
    const [waiting] = await database.query<{ any: boolean }>(
      sql`select exists (select from event_outbox where workspace_id = ${workspaceId}) as any`
    )
    if (!waiting!.any) return
    const done = await database.transaction(db => sequencePortion(db, workspaceId))
    if (done < portion) return
  }
}

/** The workspaces that have events without a sequence. */
export async function workspacesToSequence(db: Db): Promise<string[]> {
  const rows = await db.query<{ id: string }>(sql`
    with recursive w as (
      (select workspace_id as id from event_outbox order by workspace_id limit 1)
      union all
      select (select workspace_id from event_outbox where workspace_id > w.id order by workspace_id limit 1)
      from w where w.id is not null
    ) select id from w where id is not null`)
  return rows.map(r => r.id)
}

export interface EventFilter {
  after: string
  limit: number
  types?: string[] | undefined
  resource?: string | undefined
  recordId?: string | undefined
}

export interface EventRow extends Row {
  id: string
  sequence: string
}

/** The last sequence given in the workspace. A page that is not full has seen all events up to the head before it. */
export async function feedHead(ctx: Context): Promise<string> {
  const [head] = await ctx.db.query<{ sequence: string }>(
    sql`select sequence from event_heads where workspace_id = ${ctx.workspaceId}`
  )
  return head?.sequence ?? '0'
}

const readable = (ctx: Context) =>
  allResources()
    .filter(r => may(ctx, r.permissions.read))
    .map(r => r.name)

// `deal.*` stands for every type of its prefix.
const typeFilter = (types: string[] | undefined): Sql =>
  types
    ? sql`and e.type like any(${types.map(t => t.replace(/[\\%_]/g, '\\$&').replaceAll('*', '%'))}::text[])`
    : empty

/** What readers see of an event `e` and its place `l` in the log. */
export const eventColumns =
  raw(`e.id, l.sequence::text as sequence, e.type, e.resource, e.record_id as "recordId",
  e.occurred_at as "occurredAt", l.recorded_at as "recordedAt", e.actor_type as "actorType",
  e.actor_id as "actorId", e.request_id as "requestId", e.idempotency_key as "idempotencyKey", e.data, e.previous`)

/**
 * The change feed after a position: what is committed, once and in order per record, of the resources that the caller
 * may read. Answers one row more than the limit where there are more.
 */
export async function readEvents(ctx: Context, filter: EventFilter): Promise<EventRow[]> {
  return ctx.db.query<EventRow>(sql`
    select ${eventColumns}
    from event_log l join events e on e.workspace_id = l.workspace_id and e.id = l.event_id
    where l.workspace_id = ${ctx.workspaceId} and l.sequence > ${filter.after}::bigint
      and e.resource = any(${readable(ctx)}::text[]) ${typeFilter(filter.types)}
      ${filter.resource ? sql`and e.resource = ${filter.resource}` : empty}
      ${filter.recordId ? sql`and e.record_id = ${filter.recordId}` : empty}
    order by l.sequence limit ${filter.limit + 1}`)
}
