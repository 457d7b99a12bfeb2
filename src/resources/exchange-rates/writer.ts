import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { fieldError, type KithError } from '../../kernel/errors.js'
import { findRecord } from '../../kernel/read.js'
import { checkProposals, standardWriter, type Proposal, type Writer } from '../../kernel/writer.js'
import { workspaces } from '../identity/resource.js'
import { exchangeRates } from './resource.js'

interface Rate {
  currency?: string
  rateToBase?: string
}

const tellsRate = ({ currency, rateToBase }: Rate) => currency !== undefined || rateToBase !== undefined

async function stored(ctx: Context, ids: readonly string[]): Promise<Map<string, Rate>> {
  if (ids.length === 0) return new Map()
  const rows = await ctx.db.query<{ id: string; currency: string; rateToBase: string }>(sql`
    select t.id, t.currency, t.rate_to_base as "rateToBase" from exchange_rates t
    where ${visible(ctx, exchangeRates, 't')} and t.id = any(${ids}::uuid[])`)
  return new Map(rows.map(r => [r.id, r]))
}

// A unit of the base currency is worth one of itself.
async function check(ctx: Context, rows: readonly Proposal[]): Promise<Map<string, KithError>> {
  const problems = await checkProposals(ctx, exchangeRates, rows)
  const told = rows.filter(r => !problems.has(r.id) && tellsRate(r.values))
  if (told.length === 0) return problems
  const workspace = await findRecord(ctx, workspaces, ctx.workspaceId, { fields: ['baseCurrency'] })
  const before = await stored(
    ctx,
    told.filter(r => !r.created).map(r => r.id)
  )
  for (const { id, values } of told) {
    const { currency, rateToBase }: Rate = { ...before.get(id), ...values }
    if (currency !== workspace?.baseCurrency || Number(rateToBase) === 1) continue
    const message = `${currency} is the base currency of the workspace: its rate is 1.`
    problems.set(id, fieldError('unprocessable', '/rateToBase', message, 'base_currency'))
  }
  return problems
}

/** Writes exchange rates; that of the base currency itself is 1. */
export const exchangeRateWriter: Writer = { ...standardWriter(exchangeRates), check }
