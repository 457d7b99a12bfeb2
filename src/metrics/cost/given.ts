import { Big } from 'big.js'
import { Closed, GivenAmount, Nullable, Text, Type, type Static } from '../../kernel/schema.js'
import type { Answered } from '../figure.js'
import { shownDecimal } from '../models/exact.js'
import { described, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { Count } from '../rate.js'

const GivenRow = Closed(
  {
    key: described(Text(200), 'A campaign or channel.'),
    cost: described(Nullable(GivenAmount()), 'What was spent; null: unknown.'),
    leads: Type.Optional(Count('Leads. Absent: 0.')),
    qualified: Type.Optional(Count('Qualified leads. Absent: unknown.')),
    newCustomers: Type.Optional(Count('New customers. Absent: 0.'))
  },
  { 'x-type': 'GivenCostRow', description: 'What a campaign or channel cost and brought.' }
)

const schema = Closed({ rows: Type.Array(GivenRow, { maxItems: 1000 }) })

type Row = Static<typeof GivenRow>
type Counted = 'leads' | 'qualified' | 'newCustomers'

/** What was spent for some rows together, and what it brought. */
export interface GivenCosts {
  cost: string | null
  leads: number
  /** Unknown as soon as one row does not tell it. */
  qualified: number | null
  newCustomers: number
  /** The cost for each of them; null where it is unknown or there are none. */
  per(counted: Counted): string | null
  /** The part of the cost that brought none. */
  without(counted: Counted): string | null
}

const total = (rows: readonly Row[], counted: Counted) => rows.reduce((n, row) => n + (row[counted] ?? 0), 0)

function spentFor(rows: readonly Row[]): Big | null {
  const known = rows.filter(r => r.cost !== null)
  return known.length === 0 ? null : known.reduce((sum, r) => sum.plus(r.cost!), new Big(0))
}

function costsOf(rows: readonly Row[]): GivenCosts {
  const cost = spentFor(rows)
  return {
    cost: cost && shownDecimal(cost),
    leads: total(rows, 'leads'),
    qualified: rows.some(row => row.qualified === undefined) ? null : total(rows, 'qualified'),
    newCustomers: total(rows, 'newCustomers'),
    per(counted) {
      const n = total(rows, counted)
      return cost === null || n === 0 ? null : shownDecimal(cost.div(n))
    },
    without(counted) {
      const idle = spentFor(rows.filter(r => (r[counted] ?? 0) === 0))
      return cost && shownDecimal(idle ?? new Big(0))
    }
  }
}

/**
 * A figure of costs out of given rows: a group for each, and over all of them what all recorded costs are for each of
 * all. `reason` takes pointers within the value.
 */
export const givenCosts = <V extends object>(
  valueOf: (costs: GivenCosts, reason: (pointer: string, code: string) => void) => V
) => ({
  schema,
  takes: [],
  answer(
    { rows }: Static<typeof schema>,
    { given }: Request<{ currency?: string }>,
    frame: Frame
  ): Answered<V> {
    const reasons: Record<string, string> = {}
    const told = (pointer: string, of: readonly Row[]) =>
      valueOf(costsOf(of), (within, code) => void (reasons[pointer + within] = code))
    const currency = given.currency ?? frame.baseCurrency
    return {
      parameters: { currency },
      value: told('/value', rows),
      more: {
        currency,
        groups: rows.map((row, i) => ({
          key: { key: row.key },
          label: row.key,
          value: told(`/groups/${i}/value`, [row])
        }))
      },
      counts: { rows: rows.length },
      excluded: {},
      reasons
    }
  }
})
