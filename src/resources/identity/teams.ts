import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { fieldError, type KithError } from '../../kernel/errors.js'
import type { Operation } from '../../kernel/operation.js'
import { standardOperations } from '../../kernel/standard.js'
import { checkProposals, standardWriter, type Proposal, type Writer } from '../../kernel/writer.js'
import { teams } from './resource.js'

// Changes of one tree go one after another: each alone may be right where both together close a circle.
async function lockTree(ctx: Context): Promise<void> {
  await ctx.db.query(sql`select pg_advisory_xact_lock(hashtextextended(${`teams\n${ctx.workspaceId}`}, 0))`)
}

/**
 * Which teams would be above themselves under their new parents. Rows stand alone, so whatever of the others is
 * written must do no harm: a team that is moved in the same call counts at its old place and at its new one. Teams in
 * the bin count, because they may come back.
 */
async function circular(ctx: Context, moved: Map<string, string>): Promise<Set<string>> {
  const given = JSON.stringify([...moved].map(([id, parent]) => ({ id, parent })))
  const rows = await ctx.db.query<{ id: string }>(sql`
    with recursive given as materialized (
      select * from json_to_recordset(${given}::json) as g(id uuid, parent uuid)
    ), above as (
      select g.id as team, g.parent as id from given g
      union
      select a.team, p.id from above a cross join lateral (
        select t.parent_id as id from teams t where ${visible(ctx, teams, 't')} and t.id = a.id
        union all
        select g.parent from given g where g.id = a.id
      ) p where p.id is not null and a.id <> a.team
    )
    select team as id from above where id = team`)
  return new Set(rows.map(r => r.id))
}

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, teams, rows)
  const moved = rows.filter(r => !r.created && !problems.has(r.id) && typeof r.values.parentId === 'string')
  if (moved.length === 0) return problems
  await lockTree(ctx)
  const wrong = await circular(ctx, new Map(moved.map(r => [r.id, r.values.parentId as string])))
  for (const id of wrong) {
    problems.set(
      id,
      fieldError('unprocessable', '/parentId', 'The team would be part of itself.', 'circular')
    )
  }
  return problems
}

const writer: Writer = { ...standardWriter(teams), atomic: true, check }

export const teamOperations: Operation[] = standardOperations(teams, writer)
