import { Big } from 'big.js'
import { fsum } from 'd3-array'
import { decimalOf, shownDecimal } from '../models/exact.js'
import type { Chance } from '../models/forecast-interval.js'
import { cumulativeIncidence, incidenceAt, survivalAt, type SurvivalCurve } from '../models/survival.js'
import type { OpenDeal, Snapshot } from './forecast-snapshot.js'
import { remembered } from './remembered.js'

/** How open deals are weighed. */
export const weighing = [
  'weighted',
  'win_rate',
  'stage_conversion',
  'age_conditional',
  'stage_age_conditional'
] as const

/** How a window is forecast: by its open deals, or by what another window brought. */
export const forecastMethods = [...weighing, 'run_rate', 'seasonal'] as const

export type Weighing = (typeof weighing)[number]
export type ForecastMethod = (typeof forecastMethods)[number]

/** Fewer closed deals than these make no probability of a stage. */
export const leastClosed = 30

/** How likely a deal is won; null while unknown. */
interface Odds {
  p: number | null
  /** Whether its stage had too few closed deals. */
  fellBack: boolean
}

type Weigh = (deal: OpenDeal) => Odds

const known = (p: number | null): Odds => ({ p, fellBack: false })

const pipelineRate = ({ won, lost }: Snapshot) => (won + lost === 0 ? null : won / (won + lost))

function byStage(snapshot: Snapshot): Weigh {
  const { won, lostFurthest } = snapshot
  const overall = pipelineRate(snapshot)
  const rateOf = remembered((position: number): Odds => {
    const closed = won + lostFurthest.reduce((n, furthest) => n + Number(furthest >= position), 0)
    return closed < leastClosed ? { p: overall, fellBack: true } : known(won / closed)
  })
  return deal => rateOf(deal.position)
}

// The share of those still open at an age that are won within the window.
function within(curve: SurvivalCurve, age: number, { moment: { lead, horizon } }: Snapshot): number {
  const by = (days: number) => incidenceAt(curve, 0, age + days)
  // Where all of them are won, rounding would make it a little more than 1.
  return Math.min(1, (by(horizon ?? Infinity) - by(lead)) / survivalAt(curve, age))
}

function byAge(snapshot: Snapshot): Weigh {
  const { wonDays, lostDays, open } = snapshot
  if (pipelineRate(snapshot) === null) return () => known(null)
  const curve = cumulativeIncidence(
    [wonDays, lostDays],
    open.map(d => d.days)
  )
  return deal => known(within(curve, deal.days, snapshot))
}

function byStageAge(snapshot: Snapshot): Weigh {
  let whole: Weigh | undefined
  const curveOf = remembered((stage: number) => {
    const { won, lost, open } = snapshot.times(stage)
    return won.length + lost.length < leastClosed ? undefined : cumulativeIncidence([won, lost], open)
  })
  return deal => {
    const curve = curveOf(deal.stage)
    return curve
      ? known(within(curve, deal.stageDays, snapshot))
      : { ...(whole ??= byAge(snapshot))(deal), fellBack: true }
  }
}

const weighers: Record<Weighing, (snapshot: Snapshot) => Weigh> = {
  weighted: () => deal => known(deal.probability),
  win_rate: snapshot => () => known(pipelineRate(snapshot)),
  stage_conversion: byStage,
  age_conditional: byAge,
  stage_age_conditional: byStageAge
}

/** What open deals are expected to bring. */
export interface Estimate {
  /** Null where the odds of none of the deals are known. */
  expectedWon: number | null
  /** The standard deviation of that number, of deals that do not depend on each other. */
  expectedWonSd: number | null
  /** Null where there is no deal whose amount and odds are known. */
  value: string | null
  /** The standard deviation of the value, of deals that do not depend on each other. */
  sd: string | null
  /** How many deals have unknown odds. */
  unknown: number
  /** How many deals are in stages with too few closed deals. */
  fallback: number
  /** Those whose amount and odds are known. */
  chances: Chance[]
}

/** So many different odds are estimates: no more than the digits of a number is known of what they bring. */
const mostExactOdds = 1000

// Deals of the same odds are added up before they are weighed.
function expected(chances: readonly Chance[]): string {
  const amounts = new Map<number, Big>()
  for (const { amount, p } of chances) {
    amounts.set(p, amounts.get(p)?.plus(amount) ?? amount)
    if (amounts.size > mostExactOdds) return decimalOf(fsum(chances, c => c.size * c.p))
  }
  return shownDecimal([...amounts].reduce((sum, [p, amount]) => sum.plus(amount.times(p)), new Big(0)))
}

/** What some of the open deals of a snapshot are expected to bring, by a method. */
export function estimate(deals: readonly OpenDeal[], weigh: Weigh): Estimate {
  const chances: Chance[] = []
  let [unknown, fallback, won, spread, variance] = [0, 0, 0, 0, 0]
  for (const deal of deals) {
    const { p, fellBack } = weigh(deal)
    if (fellBack) fallback++
    if (p === null) {
      unknown++
      continue
    }
    won += p
    spread += p * (1 - p)
    const { amount, size, drawn } = deal
    if (amount === null) continue
    variance += p * (1 - p) * size ** 2 + p * (drawn?.variance ?? 0)
    chances.push({ amount, size, p, drawn: drawn?.values })
  }
  const nothing = deals.length > 0 && chances.length === 0
  const noOdds = deals.length > 0 && unknown === deals.length
  return {
    expectedWon: noOdds ? null : won,
    expectedWonSd: noOdds ? null : Math.sqrt(spread),
    value: nothing ? null : expected(chances),
    sd: nothing ? null : decimalOf(Math.sqrt(variance)),
    unknown,
    fallback,
    chances
  }
}

/** How a method weighs the open deals of a snapshot. */
export const weigherOf = (method: Weighing, snapshot: Snapshot): Weigh => weighers[method](snapshot)

export const isWeighing = (method: ForecastMethod): method is Weighing =>
  (weighing as readonly string[]).includes(method)
