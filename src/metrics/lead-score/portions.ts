import { isDeepStrictEqual } from 'node:util'
import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { changeRecords } from '../../kernel/write.js'
import { leads } from '../../resources/leads/resource.js'
import type { Portion } from './leads-sql.js'
import type { ScoredLead } from './schema.js'

/** Scores a portion of the leads that were asked for. */
export type Scorer<L extends ScoredLead = ScoredLead> = (ctx: Context, portion: Portion) => Promise<L[]>

const size = 5000

/** All leads with their scores, a portion at a time: there may be millions. */
export async function* portions<L extends ScoredLead>(ctx: Context, scorer: Scorer<L>): AsyncGenerator<L[]> {
  for (let after: string | undefined; ;) {
    const scored = await scorer(ctx, { size, after })
    if (scored.length > 0) yield scored
    if (scored.length < size) return
    after = scored.at(-1)!.leadId
  }
}

const nameOf = ({ feature, level }: ScoredLead['shares'][number]) =>
  level === undefined ? feature : `${feature}: ${level ?? 'no value'}`

// Points that fade come to rest, so that a lead whom nothing happens to is left alone one day.
const rounded = (points: number) => Math.round(points * 1e4) / 1e4

function breakdownOf({ shares }: ScoredLead): Record<string, number> {
  const parts = new Map<string, number>()
  for (const share of shares) parts.set(nameOf(share), (parts.get(nameOf(share)) ?? 0) + share.value)
  const shown = [...parts].map(([name, points]) => [name, rounded(points)] as const)
  return Object.fromEntries(shown.filter(([, points]) => points !== 0))
}

interface Kept {
  score: number | null
  scoreBreakdown: Record<string, number> | null
}

function keptOf(lead: ScoredLead): Kept {
  const scoreBreakdown = breakdownOf(lead)
  const points = Object.values(scoreBreakdown).reduce((sum, value) => sum + value, 0)
  return { score: rounded(lead.probability === null ? points : lead.score), scoreBreakdown }
}

// Leads that stay as they are need not be locked to find that out.
async function changesOf(ctx: Context, scored: readonly ScoredLead[]) {
  const stored = await ctx.db.query<Kept & { [column: string]: unknown; id: string }>(sql`
    select l.id, l.score, l.score_breakdown as "scoreBreakdown" from leads l
    where ${visible(ctx, leads, 'l')} and l.id = any(${scored.map(s => s.leadId)}::uuid[])`)
  const before = new Map(stored.map(({ id, score, scoreBreakdown }) => [id, { score, scoreBreakdown }]))
  return scored
    .map(lead => ({ id: lead.leadId, patch: { ...keptOf(lead) } }))
    .filter(({ id, patch }) => !isDeepStrictEqual(before.get(id), patch))
}

const rowsPerStatement = 1000

/** Writes the scores of all leads, and answers how many differ; between portions it may be told to stop. */
export async function writeScores(ctx: Context, scorer: Scorer, stop?: AbortSignal): Promise<number> {
  let changed = 0
  for await (const scored of portions(ctx, scorer)) {
    stop?.throwIfAborted()
    const rows = await changesOf(ctx, scored)
    for (let first = 0; first < rows.length; first += rowsPerStatement) {
      const written = await changeRecords(ctx, leads, rows.slice(first, first + rowsPerStatement))
      changed += [...written.values()].filter(w => w.outcome === 'changed').length
    }
  }
  return changed
}
