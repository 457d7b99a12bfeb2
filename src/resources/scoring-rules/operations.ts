import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import type { KithError } from '../../kernel/errors.js'
import type { Operation } from '../../kernel/operation.js'
import { standardOperations } from '../../kernel/standard.js'
import { checkProposals, standardWriter, type Proposal, type Writer } from '../../kernel/writer.js'
import { conditionProblem, type ScoringCondition } from './condition.js'
import { scoringRules } from './resource.js'

const ruled = ['field', 'condition', 'group'] as const

interface Stored extends ScoringCondition {
  [column: string]: unknown
  id: string
}

// What a change leaves alone must fit what it changes, so that it is held fast meanwhile.
async function lockStored(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, ScoringCondition>> {
  const ids = rows.filter(r => !r.created).map(r => r.id)
  if (ids.length === 0) return new Map()
  const found = await ctx.db.query<Stored>(sql`
    select t.id, t.field, t.condition, t."group" from scoring_rules t
    where ${visible(ctx, scoringRules, 't')} and t.id = any(${ids}::uuid[]) order by t.id for no key update of t`)
  return new Map(found.map(rule => [rule.id, rule]))
}

async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, scoringRules, rows)
  const affected = rows.filter(({ values }) => ruled.some(name => values[name] !== undefined))
  const stored = await lockStored(ctx, affected)
  for (const { id, values, created } of affected) {
    const before = stored.get(id)
    if (problems.has(id) || (!created && !before)) continue
    const problem = conditionProblem(ctx, { ...before, ...values } as ScoringCondition)
    if (problem) problems.set(id, problem)
  }
  return problems
}

const writer: Writer = { ...standardWriter(scoringRules), atomic: true, check }

export const scoringRuleOperations: Operation[] = standardOperations(scoringRules, writer)
