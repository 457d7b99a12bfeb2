import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import type { Resource } from '../kernel/resource.js'

/**
 * What a field of the record `alias` was at an instant, as text: what it was before the first change that came later.
 * Before the record was made it is what it was made with.
 */
export function fieldThen(ctx: Context, resource: Resource, alias: string, field: string, at: Sql): Sql {
  const column = raw(`${alias}."${resource.fields.get(field)!.column}"`)
  return sql`(coalesce((
    select c.before -> ${field}::text from record_changes c
    where c.workspace_id = ${ctx.workspaceId} and c.resource = ${resource.name} and c.record_id = ${raw(alias)}.id
      and c.at > ${at} and c.before ? ${field}::text
    order by c.version limit 1
  ), to_jsonb(${column})) #>> '{}')`
}
