import sql from 'sql-template-tag'
import type { Context, Db } from '../../kernel/context.js'
import { frameOf } from '../period.js'
import { writeScores } from './portions.js'
import { rulesSql, type Rule } from './rules-sql.js'
import { intercept, rulesScorer } from './score.js'

/** The workspaces that have scoring rules. */
export async function workspacesWithRules(db: Db): Promise<string[]> {
  const rows = await db.query<{ id: string }>(
    sql`select distinct r.workspace_id as id from scoring_rules r where r.deleted_at is null`
  )
  return rows.map(r => r.id)
}

// What a model has said stays until it is asked again.
const byNoModel = sql`not coalesce(l.score_breakdown ? ${intercept}, false)`

/**
 * Writes the points of a workspace's rules, as they are now, to its leads, but for those that a model was the last to
 * score. Answers how many changed; undefined where there are no rules. Between portions it may be told to stop.
 */
export async function rescore(ctx: Context, stop: AbortSignal): Promise<number | undefined> {
  const frame = await frameOf(ctx, { given: {}, place: 'query' })
  const rules = await ctx.db.query<Rule>(rulesSql(ctx, frame))
  if (rules.length === 0) return undefined
  return writeScores(ctx, rulesScorer({ frame, rules, filter: byNoModel }), stop)
}
