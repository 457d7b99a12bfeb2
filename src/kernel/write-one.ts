import sql, { join, raw } from 'sql-template-tag'
import { jsonRecord } from './columns.js'
import type { Context } from './context.js'
import type { RecordRow } from './read.js'
import type { Resource } from './resource.js'
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

const statementOf = memo((resource: Resource) => {
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

/**
 * Makes one record that claims no external id, with its event: what most creations are. It is answered from the JSON
 * that the event holds, which is one value to read instead of one for each column.
 */
export async function createPlain(
  ctx: Context,
  resource: Resource,
  row: { id: string; values: Record<string, unknown> },
  event: { eventId: string; eventType: string }
): Promise<RecordRow> {
  const { text, slots } = statementOf(resource)
  const creation = { by: originOf(ctx), values: { ...row.values, id: row.id }, ...event }
  const [made] = await ctx.db.query<{ data: RecordRow }>({ text, values: slots.map(read => read(creation)) })
  return made!.data
}
