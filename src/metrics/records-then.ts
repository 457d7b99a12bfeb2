import sql, { raw, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import type { FieldInfo, Resource } from '../kernel/resource.js'
import type { Frame } from './period.js'

// What a record is linked with may have been merged or binned since, and whose it is decides who sees it.
const stays = ({ name, sqlType }: FieldInfo) => sqlType === 'uuid' || name === 'deletedAt'

/**
 * The table of a resource as `alias`. Where a figure asks what was known at an earlier moment, those recorded by then, with
 * fields that were changed since as they were before the first such change. Links and the bin are as they are now.
 */
export function recordsThen(ctx: Context, { past, knownAt }: Frame, resource: Resource, alias: string): Sql {
  const table = raw(`"${resource.table}"`)
  if (!past) return sql`${table} ${raw(alias)}`
  const restored = [...resource.fields.values()].filter(f => !stays(f))
  const all = [...[...resource.columns.values()].map(c => c.column), ...resource.generated]
  // Named one by one, so that a condition on what stays finds the records by an index.
  const from = (row: (column: string) => string) => raw(all.map(c => `${row(c)}."${c}"`).join(', '))
  const changed = new Set(restored.map(f => f.column))
  const columns = JSON.stringify(Object.fromEntries(restored.map(f => [f.name, f.column])))
  const then = sql`${knownAt}::timestamptz`
  return sql`(
    select ${from(() => 'r')} from ${table} r where r.workspace_id = ${ctx.workspaceId} and r.updated_at <= ${then}
      and r.created_at <= ${then}
    union all
    select ${from(c => (changed.has(c) ? 's' : 'r'))} from ${table} r cross join lateral (
      select jsonb_object_agg(${columns}::jsonb ->> f.key, f.value) as fields from (
        select distinct on (e.key) e.key, e.value
        from record_changes c cross join lateral jsonb_each(c.before) e
        where c.workspace_id = ${ctx.workspaceId} and c.resource = ${resource.name} and c.record_id = r.id
          and c.at > ${then} and ${columns}::jsonb ? e.key
        order by e.key, c.version
      ) f
    ) b cross join lateral jsonb_populate_record(r, coalesce(b.fields, '{}')) s
    where r.workspace_id = ${ctx.workspaceId} and r.updated_at > ${then} and r.created_at <= ${then}
  ) ${raw(alias)}`
}
