import { Big } from 'big.js'
import {
  Bool,
  Closed,
  Computed,
  Day,
  Integer,
  Nullable,
  Number as AnyNumber,
  Share,
  Type,
  type Static
} from '../../kernel/schema.js'
import { statsOfCounts } from '../models/stats.js'
import { shownDecimal } from '../models/exact.js'
import { described } from '../parameters.js'
import { Count, Rate, rate } from '../rate.js'
import { Stats } from '../stats-schema.js'
import type { Period, RetentionRow } from './sql.js'

const Cell = Closed(
  {
    period: Count('Periods after the one of the first order; 0 is that one.'),
    active: Count('Customers of the cohort with an order in the period.'),
    retention: Share(),
    unbounded: Type.Optional(described(Share(), 'The share with an order in this period or a later one.')),
    revenue: Nullable(
      Computed('What their orders brought in the period; null where none has a known value.')
    ),
    cumulativeRevenuePerCustomer: Computed(
      'What they brought until its end, for each customer of the cohort.'
    ),
    complete: described(Bool(), 'Whether the period had ended by the moment of the figure.')
  },
  { 'x-type': 'RetentionCell', description: 'A cohort in a period.' }
)

const Cohort = Closed(
  {
    from: described(Day(), 'The first local day of the period of the first order.'),
    size: Count('Customers whose first order was in it.'),
    cells: Type.Array(Cell, { description: 'The periods that have begun.' })
  },
  { 'x-type': 'RetentionCohort', description: 'Customers by the period of their first order.' }
)

const PeriodValue = Closed(
  {
    from: described(Nullable(Day()), 'Its first local day; null where it was computed from given data.'),
    to: described(Nullable(Day()), 'The first local day after it.'),
    complete: described(Bool(), 'Whether it had ended by the moment of the figure.'),
    activeBefore: Count('Customers with an order in the period before.'),
    retained: Count('Those of them with an order in this period.'),
    retention: Nullable(Share()),
    churn: Nullable(described(Share(), '1 less the retention.')),
    revenueBefore: Nullable(Computed('What they brought in the period before.')),
    revenueRetained: Nullable(Computed('What they brought in this period.')),
    revenueRetention: Nullable(described(AnyNumber(), 'The one of the other; it may exceed 1.'))
  },
  { 'x-type': 'RetentionPeriod', description: 'From one period to the next.' }
)

export const retentionValue = Closed(
  {
    customers: Count('Customers whose first order was in the period asked about.'),
    orders: Count('Their orders.'),
    orderDays: Count('The same, those of one customer on one local day counted as one.'),
    cohorts: Type.Array(Cohort),
    periods: Type.Array(PeriodValue),
    repeatRate: Rate(),
    inactive: Closed(
      {
        days: described(Integer(1, 3650), 'The convention: no order for so many local days.'),
        n: Count('Customers without an order for so long.'),
        share: Nullable(Share())
      },
      { 'x-type': 'InactiveCustomers', description: 'Customers who have not ordered for some time.' }
    ),
    daysBetweenOrders: Stats()
  },
  { 'x-type': 'Retention', description: 'Who came back, and what they brought.' }
)

export type RetentionValue = Static<typeof retentionValue>

type Reason = (pointer: string, code: string) => void

/** How a value is put together. */
export interface Assembly {
  periods: readonly Period[]
  inactiveDays: number
  unbounded: boolean
  reason: Reason
  /** Says which rows, and what of them, a number is about. */
  behind(pointer: string, rows: readonly RetentionRow[], member: string): void
}

const total = (rows: readonly RetentionRow[], count: (row: RetentionRow) => number) =>
  rows.reduce((sum, row) => sum + count(row), 0)

function money(rows: readonly RetentionRow[], of: (row: RetentionRow) => string | null): Big | null {
  const known = rows.map(of).filter(v => v !== null)
  return known.length === 0 ? null : known.reduce((sum, v) => sum.plus(v), new Big(0))
}

function grouped(rows: readonly RetentionRow[], key: (row: RetentionRow) => string) {
  const groups = new Map<string, RetentionRow[]>()
  for (const row of rows) groups.set(key(row), [...(groups.get(key(row)) ?? []), row])
  return groups
}

function cellsOf(
  size: number,
  rows: readonly RetentionRow[],
  periods: readonly Period[],
  { unbounded, behind }: Pick<Assembly, 'unbounded' | 'behind'>,
  pointer: string
): Static<typeof Cell>[] {
  const byPeriod = new Map(rows.map(row => [row.period, row]))
  let later = size
  let brought = new Big(0)
  return periods.map(({ from, complete }, period) => {
    const row = byPeriod.get(from)
    const active = row?.cohortActive ?? 0
    const revenue = active === 0 ? '0' : (row?.cohortRevenue ?? null)
    brought = brought.plus(revenue ?? 0)
    const still = later
    later -= row?.cohortLast ?? 0
    behind(`${pointer}/cells/${period}/active`, row ? [row] : [], 'cohortActive')
    behind(`${pointer}/cells/${period}/revenue`, row ? [row] : [], 'cohortValued')
    return {
      period,
      active,
      retention: active / size,
      ...(unbounded && { unbounded: still / size }),
      revenue: revenue === null ? null : shownDecimal(new Big(revenue)),
      cumulativeRevenuePerCustomer: shownDecimal(brought.div(size)),
      complete
    }
  })
}

function cohortsOf(rows: readonly RetentionRow[], assembly: Assembly): RetentionValue['cohorts'] {
  const place = new Map(assembly.periods.map((p, i) => [p.from, i]))
  const chosen = [...grouped(rows, r => r.cohort)]
    .map(([from, of]) => ({ from, of, size: total(of, r => r.customers) }))
    .filter(c => c.size > 0)
    .sort((a, b) => (a.from < b.from ? -1 : 1))
  return chosen.map(({ from, of, size }, i) => {
    const pointer = `/cohorts/${i}`
    assembly.behind(`${pointer}/size`, of, 'customers')
    const periods = assembly.periods.slice(place.get(from))
    return { from, size, cells: cellsOf(size, of, periods, assembly, pointer) }
  })
}

/** One period, told by the rows of it and of the one before. */
function periodOf(
  { from, to, complete }: Period,
  before: readonly RetentionRow[],
  now: readonly RetentionRow[],
  why: (name: string, code: string) => void
): RetentionValue['periods'][number] {
  const activeBefore = total(before, r => r.active)
  const retained = total(now, r => r.retained)
  const retention = activeBefore === 0 ? null : retained / activeBefore
  const revenueBefore = money(before, r => r.revenue)
  const revenueRetained = retained === 0 && activeBefore > 0 ? new Big(0) : money(now, r => r.revenueRetained)
  const known = revenueBefore !== null && revenueRetained !== null && !revenueBefore.eq(0)
  if (activeBefore === 0) for (const name of ['retention', 'churn']) why(name, 'nobody_before')
  if (!revenueBefore) why('revenueBefore', activeBefore === 0 ? 'nobody_before' : 'nothing_valued')
  if (!revenueRetained) why('revenueRetained', activeBefore === 0 ? 'nobody_before' : 'nothing_valued')
  if (!known) why('revenueRetention', revenueBefore?.eq(0) ? 'nothing_brought' : 'nothing_valued')
  return {
    from,
    to,
    complete,
    activeBefore,
    retained,
    retention,
    churn: retention === null ? null : (activeBefore - retained) / activeBefore,
    revenueBefore: revenueBefore && shownDecimal(revenueBefore),
    revenueRetained: revenueRetained && shownDecimal(revenueRetained),
    revenueRetention: known ? revenueRetained.div(revenueBefore).toNumber() : null
  }
}

function periodsIn(rows: readonly RetentionRow[], assembly: Assembly): RetentionValue['periods'] {
  const { periods, reason, behind } = assembly
  const byPeriod = grouped(rows, r => r.period)
  const of = (i: number) => byPeriod.get(periods[i]?.from ?? '') ?? []
  const first = periods.findIndex((_, i) => of(i).length > 0)
  const shown = periods.map((_, i) => i).filter(i => first >= 0 && i >= first && periods[i]!.asked)
  return shown.map((i, nth) => {
    const pointer = `/periods/${nth}`
    behind(`${pointer}/activeBefore`, of(i - 1), 'active')
    behind(`${pointer}/retained`, of(i), 'retained')
    behind(`${pointer}/revenueBefore`, of(i - 1), 'valued')
    behind(`${pointer}/revenueRetained`, of(i), 'retainedValued')
    return periodOf(periods[i]!, of(i - 1), of(i), (name, code) => reason(`${pointer}/${name}`, code))
  })
}

function daysBetween(rows: readonly RetentionRow[]): Map<number, number> {
  const counts = new Map<number, number>()
  for (const { gaps } of rows)
    for (const [days, n] of Object.entries(gaps ?? {}))
      counts.set(Number(days), (counts.get(Number(days)) ?? 0) + n)
  return counts
}

/** Puts what was counted of cohorts and periods together. */
export function retentionOf(rows: readonly RetentionRow[], assembly: Assembly): RetentionValue {
  const { reason, behind, inactiveDays } = assembly
  const customers = total(rows, r => r.customers)
  const inactive = total(rows, r => r.inactive)
  const repeatRate = rate(
    total(rows, r => r.repeaters),
    customers
  )
  const gaps = statsOfCounts(daysBetween(rows))
  if (customers === 0) for (const name of ['repeatRate', 'inactive/share']) reason(`/${name}`, 'no_customers')
  if (gaps.n === 0) reason('/daysBetweenOrders', 'no_repeat_order')
  behind('/customers', rows, 'customers')
  behind('/repeatRate', rows, 'repeaters')
  for (const name of ['n', 'share']) behind(`/inactive/${name}`, rows, 'inactive')
  return {
    customers,
    orders: total(rows, r => r.orders),
    orderDays: total(rows, r => r.orderDays),
    cohorts: cohortsOf(rows, assembly),
    periods: periodsIn(rows, assembly),
    repeatRate,
    inactive: { days: inactiveDays, n: inactive, share: customers === 0 ? null : inactive / customers },
    daysBetweenOrders: gaps
  }
}

/** A period told by its numbers alone, as `data` gives them. */
export function givenPeriod(
  activeBefore: number,
  lost: number,
  reason: Reason
): RetentionValue['periods'][number] {
  const retention = activeBefore === 0 ? null : (activeBefore - lost) / activeBefore
  if (retention === null)
    for (const name of ['retention', 'churn']) reason(`/periods/0/${name}`, 'nobody_before')
  return {
    from: null,
    to: null,
    complete: true,
    activeBefore,
    retained: activeBefore - lost,
    retention,
    churn: activeBefore === 0 ? null : lost / activeBefore,
    revenueBefore: null,
    revenueRetained: null,
    revenueRetention: null
  }
}
