import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from './context.js'
import { resourceNamed, type FieldInfo, type Resource } from './resource.js'
import type { Link } from './schema.js'

const linkOf = (field: FieldInfo): Link => field.schema['x-link']!

/** The condition that a record's field of links names an id. */
export function linkedBy(ctx: Context, field: FieldInfo, alias: string, id: Sql): Sql {
  const { table, record, linked } = linkOf(field)
  return sql`exists (select from ${raw(`"${table}" l`)} where l.workspace_id = ${ctx.workspaceId}
    and ${raw(`l."${record}" = ${alias}.id`)} and ${raw(`l."${linked}"`)} = ${id})`
}

/** Where the records are found that point to others by a field, and the id of whom they point to. */
export interface Pointing {
  from: Sql
  id: Sql
  /** Whether by rows of their own: those come in no order of the records. */
  byRows: boolean
}

/** The table of a resource under the alias, with what its field points to: its own column, or the rows of its links. */
export function pointing(ctx: Context, resource: Resource, fieldName: string, alias: string): Pointing {
  const field = resource.fields.get(fieldName)!
  const own = raw(`"${resource.table}" ${alias}`)
  if (field.kind !== 'links') return { from: own, id: raw(`${alias}."${field.column}"`), byRows: false }
  const { table, record, linked } = linkOf(field)
  return {
    from: sql`${own} join ${raw(`"${table}" l`)}
      on l.workspace_id = ${ctx.workspaceId} and ${raw(`l."${record}" = ${alias}.id`)}`,
    id: raw(`l."${linked}"`),
    byRows: true
  }
}

/** An id that a record about to be written points to, and where it stands in the body. */
export interface Pointed {
  /** The field of the record that it stands in. */
  field: string
  pointer: string
  target: Resource
  id: unknown
}

/** All that values of a record point to: by relations to one, and by the items of its links. */
export function pointed(resource: Resource, values: Record<string, unknown>): Pointed[] {
  const ones = Object.values(resource.relations)
    .filter(r => r.kind === 'one')
    .map(r => ({
      field: r.field,
      pointer: `/${r.field}`,
      target: resourceNamed(r.target),
      id: values[r.field]
    }))
  const links = [...resource.fields.values()].filter(f => f.kind === 'links')
  const many = links.flatMap(f => {
    const { target, member } = linkOf(f)
    const items = (values[f.name] ?? []) as Record<string, unknown>[]
    return items.map((item, i) => ({
      field: f.name,
      pointer: `/${f.name}/${i}/${member}`,
      target: resourceNamed(target),
      id: item[member]
    }))
  })
  return [...ones, ...many]
}
