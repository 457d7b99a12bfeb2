import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { v7 as uuidv7 } from 'uuid'
import { visible } from './authorize.js'
import { jsonRecord, publicFields, selectList } from './columns.js'
import type { Context } from './context.js'
import type { KithError } from './errors.js'
import type { RecordRow } from './read.js'
import type { Resource } from './resource.js'
import { assignments, insertColumns, memo } from './write-columns.js'
import { actorSql, clock, eventSql, originOf } from './write-event.js'
import { createPlain } from './write-one.js'

/** A record to make: values by column name, public or not. */
export interface NewRow {
  id: string
  values: Record<string, unknown>
  eventType?: string
  /** An external id that must be free; if somebody has it the row is left out of the answer. */
  claim?: { source: string; id: string } | undefined
  /** What the resource's check found out about it. */
  prepared?: unknown
}

/** A change of a record: new values by column name; `true` is now for an instant that has no value yet. */
export interface ChangeRow {
  id: string
  patch: Record<string, unknown>
  expectedVersion?: number | undefined
  /** Whether the record must be in the bin; null where either will do. Default: it must not. */
  inBin?: boolean | null
  /** What belongs to the record, outside of its columns, has changed: that is a change even if no value differs. */
  touched?: boolean
  eventType?: string | undefined
}

export interface Changed {
  outcome: 'changed' | 'unchanged' | 'stale'
  record: RecordRow
}

/** What became of a change; refused where the resource's writer found out once the record was locked. */
export type Change = Changed | { outcome: 'refused'; error: KithError }

/** A new record's id: a UUIDv7, so that ids grow with time. */
export const newId = () => uuidv7()

const claimsAny = ({ values }: NewRow) => ((values.externalIds ?? []) as unknown[]).length > 0

// External ids are claimed in their order, so that two batches wait for each other instead of being in a deadlock.
function claimSql(ctx: Context, resource: Resource, rows: readonly NewRow[]): { ctes: Sql; only: Sql } {
  const keyed = rows.some(r => r.claim)
  const others = rows.some(claimsAny)
  const only = keyed ? sql`where (i._key is null or i.id in (select record_id from keyed))` : empty
  const into = sql`insert into external_ids (workspace_id, resource, source, external_id, record_id)`
  const keyedSql = keyed
    ? sql`keyed as (${into} select ${ctx.workspaceId}, ${resource.name}, i._source, i._key, i.id from input i
          where i._key is not null order by i._source, i._key on conflict do nothing returning record_id), `
    : empty
  const othersSql = others
    ? sql`claims as (${into}
          select ${ctx.workspaceId}, ${resource.name}, e ->> 'source', e ->> 'id', i.id
          from input i, jsonb_array_elements(i.external_ids) e ${only}
          ${keyed ? sql`and (e ->> 'source', e ->> 'id') is distinct from (i._source, i._key)` : empty}
          order by 3, 4), `
    : empty
  return { ctes: sql`${keyedSql}${othersSql}`, only }
}

/**
 * Makes records, each with its `created` event, in one statement however many there are. Answers them by id; a row
 * whose claim was taken is missing. A taken external id or unique value is a `conflict`. `also` is a further write of
 * the same statement, which may read the new rows as `made`.
 */
export async function createRecords(
  ctx: Context,
  resource: Resource,
  rows: readonly NewRow[],
  also?: Sql
): Promise<Map<string, RecordRow>> {
  if (rows.length === 0) return new Map()
  const [only] = rows
  const eventType = (row: NewRow) => row.eventType ?? `${resource.eventName}.created`
  if (also === undefined && rows.length === 1 && only && !only.claim && !claimsAny(only)) {
    const event = { eventId: newId(), eventType: eventType(only) }
    return new Map([[only.id, await createPlain(ctx, resource, only, event)]])
  }
  const columns = insertColumns(resource)
  const claim = claimSql(ctx, resource, rows)
  const input = rows.map(row => ({
    ...columns.toInput(row.values),
    id: row.id,
    _event: newId(),
    _type: eventType(row),
    ...(row.claim && { _source: row.claim.source, _key: row.claim.id })
  }))
  const found = await ctx.db.query<RecordRow>(sql`
    with input as materialized (
      select x.*, ${clock} as _now from json_to_recordset(${JSON.stringify(input)}::json)
        as x(${columns.definition}, _event uuid, _type text, _source text, _key text)
    ), ${claim.ctes} made as (
      insert into ${raw(`"${resource.table}"`)} as t (workspace_id, created_at, updated_at, ${columns.names})
      select ${ctx.workspaceId}, i._now, i._now, ${columns.values} from input i ${claim.only} returning t.*
    ), ${eventSql(
      originOf(ctx),
      resource,
      sql`select i._event as event_id, i._type as event_type, t.id as record_id, i._now as now,
            ${jsonRecord(resource, 't')} as data, null::jsonb as previous
          from made t join input i on i.id = t.id`
    )} ${also ? sql`, ${also}` : empty}
    select ${selectList(resource, 't', publicFields(resource))} from made t`)
  return new Map(found.map(r => [r.id, r]))
}

const newClaims = (ctx: Context, resource: Resource) => sql`
  dropped as (
    delete from external_ids x using next n, jsonb_array_elements(n._claims) e
    where x.workspace_id = ${ctx.workspaceId} and x.resource = ${resource.name} and x.record_id = n.id
      and x.source = e ->> 'source' and x.external_id = e ->> 'id' and not n.external_ids @> jsonb_build_array(e)
  ), added as (
    insert into external_ids (workspace_id, resource, source, external_id, record_id)
    select ${ctx.workspaceId}, ${resource.name}, e ->> 'source', e ->> 'id', n.id
    from next n, jsonb_array_elements(n.external_ids) e where not n._claims @> jsonb_build_array(e)
  ), `

const typeOf = memo((resource: Resource) => {
  const event = resource.eventName
  return raw(`case when t.deleted_at is not distinct from o.deleted_at then '${event}.updated'
    when t.deleted_at is null then '${event}.restored' else '${event}.deleted' end`)
})

// What differs between the record before and after, but for the fields that differ after every change.
const difference = (resource: Resource, type: Sql) => sql`
  select t.id, t.version, o._event as event_id, coalesce(o._type, ${type}, ${typeOf(resource)}) as event_type, o._now as now,
    new.data, d.before, d.after
  from done t join old o on o.id = t.id
  cross join lateral (select ${jsonRecord(resource, 't')} as data) new
  cross join lateral (
    select coalesce(jsonb_object_agg(a.key, b.value), '{}') as before,
      coalesce(jsonb_object_agg(a.key, a.value), '{}') as after
    from jsonb_each(new.data::jsonb) a join jsonb_each(o._before::jsonb) b on b.key = a.key
    where a.value is distinct from b.value and a.key not in ('version', 'updatedAt')
  ) d`

/** What a resource adds to the statement that changes its records. */
interface ChangeExtras {
  /** The type of an event by the record before (`o`) and after (`t`); null for the standard one. */
  type?: Sql
  /** A further write, which may read the rows before and after as `old` and `done`. */
  also?: Sql
}

/**
 * Changes records: each is locked, compared with its expected version, and, if a value really differs, written with
 * one event and one history row, all in one statement. Updates, deletions and restores are all changes. A record
 * that is missing from the answer is unknown, out of sight, or on the wrong side of the bin.
 */
export async function changeRecords(
  ctx: Context,
  resource: Resource,
  rows: readonly ChangeRow[],
  { type = sql`null`, also }: ChangeExtras = {}
): Promise<Map<string, Changed>> {
  if (rows.length === 0) return new Map()
  const set = assignments(resource)
  const claims = rows.some(r => r.patch.externalIds !== undefined)
  const input = rows.map(row => ({
    id: row.id,
    _event: newId(),
    _type: row.eventType,
    _version: row.expectedVersion,
    _bin: row.inBin === undefined ? false : row.inBin,
    _touched: row.touched ?? false,
    patch: row.patch
  }))
  const fields = selectList(resource, 't', publicFields(resource))
  const found = await ctx.db.query<RecordRow & { _outcome: Changed['outcome'] }>(sql`
    with input as materialized (
      select * from json_to_recordset(${JSON.stringify(input)}::json)
        as x(id uuid, _event uuid, _type text, _version int, _bin boolean, _touched boolean, patch jsonb)
    ), old as materialized (
      select t.*, i._event, i._type, i._touched, i.patch, ${clock} as _now, ${jsonRecord(resource, 't')} as _before,
        t.id is not null and coalesce(i._version = t.version, true) as _due
      from input i left join (
        select t.* from ${raw(`"${resource.table}"`)} t
        where ${visible(ctx, resource, 't')} and t.id = any(array(select id from input))
        order by t.id for no key update
      ) t on t.id = i.id and (i._bin is null or (t.deleted_at is not null) = i._bin)
    ), next as materialized (
      select o.id, o._now, o._touched, o.external_ids as _claims, ${set.values} from old o where o._due
    ), ${claims ? newClaims(ctx, resource) : empty} done as (
      update ${raw(`"${resource.table}"`)} t set version = t.version + 1, updated_at = n._now, ${set.set}
      from next n where t.workspace_id = ${ctx.workspaceId} and t.id = any(array(select id from next)) and t.id = n.id
        and (n._touched or ${set.differs}) returning t.*
    ), difference as materialized (${difference(resource, type)}), history as (
      insert into record_changes (workspace_id, id, resource, record_id, version, at, actor_type, actor_id, request_id,
        before, after)
      select ${ctx.workspaceId}, d.event_id, ${resource.name}, d.id, d.version, d.now, ${actorSql(originOf(ctx))},
        d.before, d.after from difference d
    ), ${eventSql(
      originOf(ctx),
      resource,
      sql`select event_id, event_type, id as record_id, now, data, before as previous from difference`
    )} ${also ? sql`, ${also}` : empty}
    select 'changed' as _outcome, ${fields} from done t
    union all
    select case when t._due then 'unchanged' else 'stale' end, ${fields} from old t
    where t.id is not null and t.id not in (select d.id from done d)`)
  return new Map(found.map(({ _outcome, ...record }) => [record.id, { outcome: _outcome, record: record }]))
}
