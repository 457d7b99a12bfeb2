import { Big } from 'big.js'
import type { Static } from '../../kernel/schema.js'
import { shownDecimal } from '../models/exact.js'
import { estimate, weigherOf } from './forecast-methods.js'
import type { value } from './forecast-schema.js'
import type { OpenDeal, Snapshot, Won } from './forecast-snapshot.js'

type Value = Static<typeof value>

/** Tells why a number is null, by its pointer. */
export type Reason = (pointer: string, code: string) => void

export const withValue = (deals: readonly OpenDeal[]) => deals.filter(d => d.amount !== null)

const sum = (deals: readonly OpenDeal[]): Big =>
  deals.reduce((sum, { amount }) => (amount ? sum.plus(amount) : sum), new Big(0))

/** The amounts of deals; null where there are some and none of them is known. */
export const amountOf = (deals: readonly OpenDeal[]): string | null =>
  deals.length > 0 && withValue(deals).length === 0 ? null : shownDecimal(sum(deals))

/** A part of the open deals. */
export function partOf(
  deals: readonly OpenDeal[],
  snapshot: Snapshot,
  pointer: string,
  reason: Reason
): Value['overdue'] {
  const { value: weighted, sd } = estimate(deals, weigherOf('weighted', snapshot))
  const amount = amountOf(deals)
  if (amount === null) reason(`${pointer}/amount`, 'nothing_valued')
  for (const name of weighted === null ? ['weighted', 'sd'] : [])
    reason(`${pointer}/${name}`, amount === null ? 'nothing_valued' : 'no_probability')
  return { deals: deals.length, dealsWithValue: withValue(deals).length, amount, weighted, sd }
}

const categories = ['pipeline', 'best_case', 'commit', 'closed'] as const

/**
 * The open deals by category, with those won in the window as closed. A deal without one is in the pipeline, an omitted
 * one is nowhere. Cumulative: each has those that are surer too.
 */
export function categoriesOf(deals: readonly OpenDeal[], won: Won, cumulative: boolean): Value['categories'] {
  return categories.map((category, i) => {
    const told: readonly string[] = cumulative ? categories.slice(i) : [category]
    const those = deals.filter(d => told.includes(d.category ?? 'pipeline'))
    const { n, value } = told.includes('closed') ? won : { n: 0, value: null }
    const total = those.length + n
    const known = withValue(those).length > 0 || (n > 0 && value !== null)
    const amount = total > 0 && !known ? null : shownDecimal(sum(those).plus(value ?? 0))
    return { category, deals: total, amount }
  })
}
