import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { isOwned, may } from './authorize.js'
import type { Context, Database, Db, Row, Transaction } from './context.js'
import { allResources } from './resource.js'

const portion = 5000

/** The channel on which a sequencer tells that a workspace, named by the message, has new events. */
export const eventChannel = 'kith_events'

/** Lets readers of the feed wait for events of any process. */
export interface Watch {
  /** Whether the process is about to stop: nobody should begin to wait. */
  readonly closed: boolean
  /** Resolves when the workspace may have new events, after `ms`, or when the reader is gone. */
  changed(workspaceId: string, ms: number, gone?: AbortSignal): Promise<void>
}

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
    select count(*)::int as n,
      case when count(*) > 0 then pg_notify(${eventChannel}, ${workspaceId}::text) end from logged`)
  return row!.n
}

/** Sequences all that is committed in a workspace, inside a transaction that must know where the feed stands. */
export async function sequenceWithin(db: Transaction, workspaceId: string): Promise<void> {
  while ((await sequencePortion(db, workspaceId)) === portion);
}

/** Sequences all that is committed in a workspace and answers how many events that were; cheap when there are none. */
export async function sequenceEvents(database: Database, workspaceId: string): Promise<number> {
  for (let given = 0; ;) {
    const [waiting] = await database.query<{ any: boolean }>(
      sql`select exists (select from event_outbox where workspace_id = ${workspaceId}) as any`
    )
    if (!waiting!.any) return given
    const done = await database.transaction(db => sequencePortion(db, workspaceId))
    given += done
    if (done < portion) return given
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

/** The number of changes committed in a workspace, as an expression: it is the same only where nothing has changed. */
export const changesSql = (workspaceId: string): Sql => sql`(
  coalesce((select h.sequence from event_heads h where h.workspace_id = ${workspaceId}), 0)
    + (select count(*) from event_outbox o where o.workspace_id = ${workspaceId}))`

export interface EventFilter {
  after: string
  limit: number
  types?: string[] | undefined
  resource?: string | undefined
  recordId?: string | undefined
  /** How many bytes of records the page may have, but for its last event; those after it come without their record. */
  bytes?: number | undefined
}

export interface EventRow extends Row {
  id: string
  sequence: string
  data: unknown
}

/** Where a workspace's feed begins and ends. A page that is not full has seen all events up to the end before it. */
export interface FeedEnds {
  [column: string]: unknown
  /** The last sequence given. */
  sequence: string
  /** The last sequence whose event is no longer kept. */
  forgotten: string
}

export async function feedEnds(ctx: Context): Promise<FeedEnds> {
  const [ends] = await ctx.db.query<FeedEnds>(
    sql`select sequence, forgotten from event_heads where workspace_id = ${ctx.workspaceId}`
  )
  return ends ?? { sequence: '0', forgotten: '0' }
}

/** The first event of a workspace that somebody else than readers of the feed still needs; null where there is none. */
export type NeededFrom = (db: Db, workspaceId: string) => Promise<string | null>

// For so much longer are events kept that somebody still needs.
const neededDays = 30

/** Deletes a portion of the events recorded longer ago than this, oldest first. Answers how many. */
async function forgetPortion(
  db: Db,
  workspaceId: string,
  days: number,
  needed: string | null
): Promise<number> {
  const [row] = await db.query<{ n: number }>(sql`
    with due as materialized (
      select o.sequence, o.event_id from (
        select l.sequence, l.event_id, l.recorded_at from event_log l
        where l.workspace_id = ${workspaceId} order by l.sequence limit ${portion}
      ) o where o.recorded_at < now() - ${days} * interval '1 day' and (${needed}::bigint is null
        or o.sequence < ${needed}::bigint or o.recorded_at < now() - ${days + neededDays} * interval '1 day')
    ), unlogged as (
      delete from event_log l using due where l.workspace_id = ${workspaceId} and l.sequence = due.sequence
    ), dropped as (
      delete from events e using due where e.workspace_id = ${workspaceId} and e.id = due.event_id
    ), moved as (
      update event_heads h set forgotten = greatest(h.forgotten, (select max(sequence) from due))
      where h.workspace_id = ${workspaceId} and exists (select from due)
    )
    select count(*)::int as n from due`)
  return row!.n
}

/**
 * Deletes events recorded longer ago than this many days, over all workspaces and in small portions. What is still
 * needed, and all that follows it, stays for up to 30 days more.
 */
export async function forgetOldEvents(
  database: Database,
  days: number,
  neededFrom: NeededFrom
): Promise<void> {
  const heads = await database.query<{ id: string }>(sql`select workspace_id as id from event_heads`)
  for (const { id } of heads) {
    const needed = await neededFrom(database, id)
    while ((await database.transaction(db => forgetPortion(db, id, days, needed))) === portion);
  }
}

const readable = (ctx: Context) => allResources().filter(r => may(ctx, r.permissions.read))

// A limited caller sees a change of a record whose owner was in scope before it or is in scope after it.
function inScope(ctx: Context): Sql {
  if (ctx.owners === null) return empty
  const unowned = allResources().filter(r => !isOwned(r))
  return sql`and (e.resource = any(${unowned.map(r => r.name)}::text[])
    or e.data ->> 'ownerId' = any(${ctx.owners}::text[]) or e.previous ->> 'ownerId' = any(${ctx.owners}::text[]))`
}

/** How many events a page looks at, most of which may be none of the caller's. */
export const scannedAtMost = 20_000

// The events of one record are few, and found by it however far apart they are; all others by their place in the log.
function portionOf(ctx: Context, { after, recordId }: EventFilter): Sql {
  const log = sql`event_log l where l.workspace_id = ${ctx.workspaceId} and l.sequence > ${after}::bigint`
  if (recordId === undefined) return sql`${log} and l.sequence <= ${after}::bigint + ${scannedAtMost}::int`
  return sql`${log} and l.event_id = any(array(
    select r.id from events r
    where r.workspace_id = ${ctx.workspaceId} and r.resource = any(${readable(ctx).map(r => r.name)}::text[])
      and r.record_id = ${recordId}))`
}

/** What readers see of an event `e` and its place `l` in the log. */
export const eventColumns =
  raw(`e.id, l.sequence::text as sequence, e.type, e.resource, e.record_id as "recordId",
  e.occurred_at as "occurredAt", l.recorded_at as "recordedAt", e.actor_type as "actorType",
  e.actor_id as "actorId", e.request_id as "requestId", e.idempotency_key as "idempotencyKey", e.data, e.previous`)

// The size of what stands before an event decides, so that there is always a first one.
const within = (bytes: number, page: Sql) => sql`
  select e.id, e.sequence, e.type, e.resource, e."recordId", e."occurredAt", e."recordedAt", e."actorType", e."actorId",
    e."requestId", e."idempotencyKey", case when e.before < ${bytes} then e.data end as data,
    case when e.before < ${bytes} then e.previous end as previous
  from (
    select p.*, coalesce(sum(octet_length(p.data::text) + coalesce(octet_length(p.previous::text), 0))
      over (order by p.sequence::bigint rows between unbounded preceding and 1 preceding), 0) as before
    from (${page}) p
  ) e order by e.sequence::bigint`

/**
 * The change feed after a position: what is committed, once and in order per record, of the records that the caller
 * may read. Answers one row more than the limit where there are more. Of the events of all records it looks at the next
 * `scannedAtMost` and no further.
 */
export async function readEvents(ctx: Context, filter: EventFilter): Promise<EventRow[]> {
  const { bytes } = filter
  const page = sql`
    select ${eventColumns}
    from (select l.workspace_id, l.sequence, l.event_id, l.recorded_at from ${portionOf(ctx, filter)}) l
    join events e on e.workspace_id = l.workspace_id and e.id = l.event_id
    where e.workspace_id = ${ctx.workspaceId} and e.resource = any(${readable(ctx).map(r => r.name)}::text[]) ${inScope(ctx)}
      ${filter.types ? sql`and e.type = any(${filter.types}::text[])` : empty}
      ${filter.resource ? sql`and e.resource = ${filter.resource}` : empty}
    order by l.sequence limit ${filter.limit + 1}`
  return ctx.db.query<EventRow>(bytes === undefined ? page : within(bytes, page))
}
