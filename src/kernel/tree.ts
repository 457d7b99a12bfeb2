import sql, { raw } from 'sql-template-tag'
import type { Context } from './context.js'
import { fieldError, type KithError } from './errors.js'
import type { Resource } from './resource.js'
import type { Proposal } from './proposal.js'

/** Whether values name a parent: then a tree changes, which is done in a transaction. */
export const namesParent = (values: Record<string, unknown>) => typeof values.parentId === 'string'

// Changes of one tree go one after another: each alone may be right where both together close a circle.
async function lockTree(ctx: Context, resource: Resource): Promise<void> {
  const tree = `${resource.plural}\n${ctx.workspaceId}`
  await ctx.db.query(sql`select pg_advisory_xact_lock(hashtextextended(${tree}, 0))`)
}

/**
 * Which records would be above themselves under their new parents. Rows stand alone, so whatever of the others is
 * written must do no harm: a record that is moved in the same call counts at its old place and at its new one. Those in
 * the bin count, because they may come back, and those out of the caller's sight, because a circle is one for all.
 */
async function circular(ctx: Context, resource: Resource, moved: Map<string, string>): Promise<Set<string>> {
  const given = JSON.stringify([...moved].map(([id, parent]) => ({ id, parent })))
  const rows = await ctx.db.query<{ id: string }>(sql`
    with recursive given as materialized (
      select * from json_to_recordset(${given}::json) as g(id uuid, parent uuid)
    ), above as (
      select g.id as start, g.parent as id from given g
      union
      select a.start, p.id from above a cross join lateral (
        select t.parent_id as id from ${raw(`"${resource.table}" t`)}
        where t.workspace_id = ${ctx.workspaceId} and t.id = a.id
        union all
        select g.parent from given g where g.id = a.id
      ) p where p.id is not null and a.id <> a.start
    )
    select start as id from above where id = start`)
  return new Set(rows.map(r => r.id))
}

/**
 * Finds records whose new `parentId` would make them part of themselves, over any number of steps; those that have a
 * problem already are not asked about. Needs a transaction where a parent is named.
 */
export async function circularParents(
  ctx: Context,
  resource: Resource,
  rows: readonly Proposal[],
  problems: ReadonlyMap<string, KithError>
): Promise<Map<string, KithError>> {
  const moved = rows.filter(r => !r.created && !problems.has(r.id) && namesParent(r.values))
  if (moved.length === 0) return new Map()
  await lockTree(ctx, resource)
  const wrong = await circular(ctx, resource, new Map(moved.map(r => [r.id, r.values.parentId as string])))
  const message = `The ${resource.name} would be part of itself.`
  return new Map([...wrong].map(id => [id, fieldError('unprocessable', '/parentId', message, 'circular')]))
}
