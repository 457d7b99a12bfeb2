import sql, { join, raw } from 'sql-template-tag'
import { jsonRecord } from './columns.js'
import { inTransaction, type Context, type Db } from './context.js'
import { KithError } from './errors.js'
import type { RecordRow } from './read.js'
import type { Resource } from './resource.js'
import { Turn } from './turn.js'
import { insertColumns, memo } from './write-columns.js'
import { clock, eventSql, originOf, type Origin } from './write-event.js'

interface Creation {
  by: Origin
  values: Record<string, unknown>
  eventId: string
  eventType: string
}

// A parameter of a statement that is built once per resource: where its value is found in each creation.
type Slot = (creation: Creation) => unknown
const slot = (read: Slot) => read
const by = (name: keyof Origin) => slot(c => c.by[name])

const origin: Origin = {
  workspaceId: by('workspaceId'),
  actorType: by('actorType'),
  actorId: by('actorId'),
  requestId: by('requestId'),
  idempotencyKey: by('idempotencyKey')
}

const json = (value: unknown) => (value === null ? null : JSON.stringify(value))

const aloneOf = memo((resource: Resource) => {
  const columns = insertColumns(resource)
  const given = columns.list.map(({ column, sqlType, valueIn }) => {
    const plain = slot(c => valueIn(c.values) ?? null)
    const value = sqlType === 'jsonb' ? slot(c => json(plain(c))) : plain
    return sql`${value}::${raw(sqlType)} as ${raw(`"${column}"`)}`
  })
  const { text, values } = sql`
    with made as (
      insert into ${raw(`"${resource.table}"`)} as t (workspace_id, created_at, updated_at, ${columns.names})
      select ${origin.workspaceId}::uuid, i._now, i._now, ${columns.values}
      from (select ${clock} as _now, ${join(given)}) i
      returning t.id, t.created_at as now, ${jsonRecord(resource, 't')} as data
    ), ${eventSql(
      origin,
      resource,
      sql`select ${slot(c => c.eventId)}::uuid as event_id, ${slot(c => c.eventType)}::text as event_type,
            id as record_id, now, data, null::jsonb as previous from made`
    )}
    select data from made`
  return { text, slots: values as Slot[] }
})

async function createAlone(db: Db, resource: Resource, creation: Creation): Promise<RecordRow> {
  const { text, slots } = aloneOf(resource)
  const [made] = await db.query<{ data: RecordRow }>({ text, values: slots.map(read => read(creation)) })
  return made!.data
}

// Where each row of a shared statement says who wrote it.
const rowOrigin = (workspaceId: unknown): Origin => ({
  workspaceId,
  actorType: raw('s."actorType"'),
  actorId: raw('s."actorId"'),
  requestId: raw('s."requestId"'),
  idempotencyKey: raw('s."idempotencyKey"')
})

const originColumns = {
  definition: raw('"actorType" text, "actorId" uuid, "requestId" text, "idempotencyKey" text'),
  names: raw('i."actorType", i."actorId", i."requestId", i."idempotencyKey"')
}

type Made = ReadonlyMap<string, RecordRow>

async function createTogether(
  db: Db,
  resource: Resource,
  workspaceId: unknown,
  creations: readonly Creation[]
): Promise<Made> {
  const columns = insertColumns(resource)
  const input = creations.map(c => ({
    ...columns.toInput(c.values),
    ...c.by,
    event_id: c.eventId,
    event_type: c.eventType
  }))
  const made = await db.query<{ data: RecordRow }>(sql`
    with input as materialized (
      select x.*, ${clock} as _now from json_to_recordset(${JSON.stringify(input)}::json)
        as x(${columns.definition}, event_id uuid, event_type text, ${originColumns.definition})
    ), made as (
      insert into ${raw(`"${resource.table}"`)} as t (workspace_id, created_at, updated_at, ${columns.names})
      select ${workspaceId}, i._now, i._now, ${columns.values} from input i
      returning t.id, t.created_at as now, ${jsonRecord(resource, 't')} as data
    ), ${eventSql(
      rowOrigin(workspaceId),
      resource,
      sql`select i.event_id, i.event_type, ${originColumns.names}, m.id as record_id, m.now, m.data,
            null::jsonb as previous
          from made m join input i on i.id = m.id`
    )}
    select data from made`)
  return new Map(made.map(({ data }) => [data.id, data]))
}

const creations = new Turn<Creation, Made>()
const none: Made = new Map()

// What speaks against one record undoes a shared statement, so each is then made by itself. That is safe whatever the
// error was: ids are given before, so nothing can be made twice. A database that is away or slow is not asked again.
function unlessRefused(error: unknown): Made {
  if (error instanceof KithError && (error.code === 'unavailable' || error.code === 'timeout')) throw error
  return none
}

/**
 * Makes one record that claims no external id, with its event: what most creations are. It is answered from the JSON
 * that the event holds, which is one value to read instead of one for each column. Outside of transactions what a
 * workspace makes in the same turn of the event loop is made by one statement.
 */
export async function createPlain(
  ctx: Context,
  resource: Resource,
  row: { id: string; values: Record<string, unknown> },
  event: { eventId: string; eventType: string }
): Promise<RecordRow> {
  const { db, workspaceId } = ctx
  const creation = { by: originOf(ctx), values: { ...row.values, id: row.id }, ...event }
  if (inTransaction(db)) return createAlone(db, resource, creation)
  const made = await creations.ask(db, `${resource.name} ${workspaceId}`, creation, async all =>
    all.length === 1 ? none : createTogether(db, resource, workspaceId, all).catch(unlessRefused)
  )
  return made.get(row.id) ?? createAlone(db, resource, creation)
}
