import sql, { join, raw } from 'sql-template-tag'
import { jsonRecord, publicFields, selectList } from './columns.js'
import type { Context } from './context.js'
import type { RecordRow } from './read.js'
import type { Resource } from './resource.js'
import { insertColumns, memo } from './write-columns.js'
import { clock, eventSql, originOf, type Origin } from './write-event.js'

interface Creation {
  by: Origin
  /** By column name. */
  input: Record<string, unknown>
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

const columnSlot = (column: string, sqlType: string): Slot =>
  sqlType === 'jsonb'
    ? ({ input }) => (input[column] == null ? null : JSON.stringify(input[column]))
    : ({ input }) => input[column] ?? null

const statementOf = memo((resource: Resource) => {
  const columns = insertColumns(resource)
  const given = columns.list.map(
    c => sql`${columnSlot(c.column, c.sqlType)}::${raw(c.sqlType)} as ${raw(`"${c.column}"`)}`
  )
  const { text, values } = sql`
    with made as (
      insert into ${raw(`"${resource.table}"`)} as t (workspace_id, created_at, updated_at, ${columns.names})
      select ${origin.workspaceId}::uuid, i._now, i._now, ${columns.values}
      from (select ${clock} as _now, ${join(given)}) i returning t.*
    ), ${eventSql(
      origin,
      resource,
      sql`select ${slot(c => c.eventId)}::uuid as event_id, ${slot(c => c.eventType)}::text as event_type,
            t.id as record_id, t.created_at as now, ${jsonRecord(resource, 't')} as data, null::jsonb as previous
          from made t`
    )}
    select ${selectList(resource, 't', publicFields(resource))} from made t`
  return { text, slots: values as Slot[] }
})

/** Makes one record that claims no external id, with its event: what most creations are. */
export async function createPlain(
  ctx: Context,
  resource: Resource,
  row: { id: string; values: Record<string, unknown> },
  event: { eventId: string; eventType: string }
): Promise<RecordRow> {
  const { text, slots } = statementOf(resource)
  const input = { ...insertColumns(resource).toInput(row.values), id: row.id }
  const creation = { by: originOf(ctx), input, ...event }
  const [made] = await ctx.db.query<RecordRow>({ text, values: slots.map(read => read(creation)) })
  return made!
}
