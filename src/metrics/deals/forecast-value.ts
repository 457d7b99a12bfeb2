import type { Static } from '../../kernel/schema.js'
import type { Notes } from '../counted.js'
import type { IntervalTask } from '../models/forecast-interval.js'
import type { PipelineThen } from '../pipeline.js'
import { backtestOf, benchmark, type Seen } from './forecast-backtest.js'
import {
  estimate,
  forecastMethods,
  isWeighing,
  weigherOf,
  type ForecastMethod,
  type Weighed,
  type Weighing
} from './forecast-methods.js'
import { amountOf, categoriesOf, partOf, withValue } from './forecast-parts.js'
import type { value } from './forecast-schema.js'
import {
  snapshotOf,
  wonOf,
  type Amounts,
  type Found,
  type OpenDeal,
  type Place,
  type Snapshot
} from './forecast-snapshot.js'
import type { Moment } from './forecast-windows.js'
import { openShown, type IndexedStage } from './stages.js'

export type Value = Static<typeof value>
export type MethodValue = Value['methods'][number]
type Backtest = NonNullable<Value['backtest']>

/** What is asked of a forecast, with defaults. */
export interface Settings extends Amounts {
  methods: readonly ForecastMethod[]
  deals: 'expected' | 'open'
  overdue: 'exclude' | 'include'
  quantiles: readonly number[]
  draws: number
  seed: number
  categories: 'individual' | 'cumulative'
  backtest: number
}

export const defaults: Settings = {
  methods: forecastMethods,
  deals: 'expected',
  overdue: 'exclude',
  missingAmount: 'exclude',
  amounts: 'fixed',
  quantiles: [0.1, 0.5, 0.9],
  draws: 10_000,
  seed: 1,
  categories: 'individual',
  backtest: 4
}

/** An interval that is still to be worked out, and the method that it belongs to. */
export interface Pending {
  method: MethodValue
  task: IntervalTask
}

/** What a forecast left out, and what should be said of it. */
export interface Lacks {
  missingAmount: number
  noFxRate: number
  unknownOdds: number
  fallback: number
  closed: number
}

export const chosenBy = ({ deals, overdue }: Settings) =>
  deals === 'open'
    ? () => true
    : ({ place }: OpenDeal) => place === 'expected' || (overdue === 'include' && place === 'overdue')

/** What has to be worked out for the interval of deals. */
export function intervalTask(weighed: readonly Weighed[], settings: Settings): IntervalTask {
  const samples = [...new Set(weighed.flatMap(({ deal }) => deal.drawn ?? []))]
  const { draws, seed, quantiles } = settings
  return {
    deals: weighed.map(({ deal: { amount, drawn }, p }) => ({
      amount: amount.toFixed(),
      p,
      ...(drawn && { sample: samples.indexOf(drawn) })
    })),
    samples: samples.map(s => s.values),
    draws,
    seed,
    quantiles,
    distribution: false
  }
}

/** What all cuts of a forecast have in common. */
export interface Asked {
  moments: readonly Moment[]
  pipeline: PipelineThen
  settings: Settings
}

type ForecastNotes = Notes<Found>

function weighedMethod(
  method: Weighing,
  snapshot: Snapshot,
  deals: readonly OpenDeal[],
  settings: Settings
): { told: MethodValue; pending?: IntervalTask; unknown: number } {
  const { weighed, unknown, fallback, ...found } = estimate(deals, weigherOf(method, snapshot))
  const told: MethodValue = { method, ...found, ...(fallback > 0 && { fallback }) }
  return { told, unknown, ...(found.value !== null && { pending: intervalTask(weighed, settings) }) }
}

function methodReasons(told: MethodValue, deals: readonly OpenDeal[], pointer: string, notes: ForecastNotes) {
  const code = !isWeighing(told.method)
    ? told.expectedWon === null
      ? 'no_history'
      : 'nothing_valued'
    : told.expectedWon === null
      ? told.method === 'weighted'
        ? 'no_probability'
        : 'nothing_closed'
      : 'nothing_valued'
  if (told.expectedWon === null) notes.reason(`${pointer}/expectedWon`, code)
  if (told.expectedWonSd === null)
    notes.reason(`${pointer}/expectedWonSd`, isWeighing(told.method) ? code : 'not_estimated')
  if (told.value === null)
    notes.reason(`${pointer}/value`, withValue(deals).length > 0 ? code : 'nothing_valued')
  if (told.sd === null) notes.reason(`${pointer}/sd`, isWeighing(told.method) ? code : 'not_estimated')
}

function explained(
  row: Found | undefined,
  stages: readonly IndexedStage[],
  value: Value,
  { missingAmount }: Settings,
  { ids }: ForecastNotes
) {
  const rows = row ? [row] : []
  // An unknown amount is that of the won deals where there are some.
  const valued = missingAmount === 'mean_won' && row?.wonValues ? 'convertible' : 'valued'
  for (const name of ['openDeals', 'deals'] as const) ids(`/${name}`, rows, name)
  for (const name of ['amount', 'dealsWithValue'] as const) ids(`/${name}`, rows, valued)
  for (const name of ['overdue', 'undated', 'outside'] as const) ids(`/${name}/deals`, rows, name)
  ids('/closedWon/n', rows, 'wonNow')
  ids('/newBusiness/n', rows, 'wonNew')
  for (const [i, { index }] of stages.entries()) ids(`/byStage/${i}/deals`, rows, `stage_${index}`)
  for (const [i, { method }] of value.methods.entries())
    ids(`/methods/${i}/value`, rows, behind[method] ?? valued)
}

const behind: Partial<Record<ForecastMethod, string>> = { run_rate: 'wonBefore', seasonal: 'wonSeason' }

function backtestReasons(backtest: Backtest, { reason }: ForecastNotes): void {
  for (const [i, { mape }] of backtest.methods.entries()) {
    for (const name of mape === null ? ['mape', 'bias'] : [])
      reason(`/backtest/methods/${i}/${name}`, 'nothing_to_compare')
  }
  if (backtest.best === null) reason('/backtest/best', 'nothing_to_compare')
}

/** The value of a cut from the rows of its moments, the intervals that it still needs, and what it left out. */
export function forecastValue(
  { moments, pipeline, settings }: Asked,
  rows: readonly Found[],
  notes: ForecastNotes
) {
  const seen = moments.map((moment): Seen => {
    const row = rows.find(r => r.n === moment.n)
    return { row, snapshot: snapshotOf(row, moment, pipeline, settings) }
  })
  const { row, snapshot } = seen[0]!
  const chosen = chosenBy(settings)
  const deals = snapshot.open.filter(chosen)
  const stages = openShown(pipeline, new Set(snapshot.open.map(d => d.stage)))
  const closedWon = wonOf(row, 'wonNow')
  const pending: Pending[] = []
  let unknownOdds = 0
  const methods = settings.methods.map((method, i): MethodValue => {
    const pointer = `/methods/${i}`
    if (!isWeighing(method)) {
      const { n = null, value = null } = benchmark(row, snapshot.moment, method) ?? {}
      const told = { method, expectedWon: n, expectedWonSd: null, value, sd: null }
      methodReasons(told, deals, pointer, notes)
      return told
    }
    const found = weighedMethod(method, snapshot, deals, settings)
    if (found.pending) pending.push({ method: found.told, task: found.pending })
    unknownOdds = Math.max(unknownOdds, found.unknown)
    methodReasons(found.told, deals, pointer, notes)
    return found.told
  })
  const backtest = moments.length > 1 ? backtestOf(settings.methods, seen.slice(1), chosen) : undefined
  if (backtest) backtestReasons(backtest, notes)
  const part = (place: Place) =>
    partOf(
      snapshot.open.filter(d => d.place === place),
      snapshot,
      `/${place}`,
      notes.reason
    )
  const { horizon } = snapshot.moment
  const newBusiness = moments[0]!.to === null ? { n: 0, value: null } : wonOf(row, 'wonNew')
  const value: Value = {
    horizonDays: horizon,
    openDeals: snapshot.open.length,
    deals: deals.length,
    dealsWithValue: withValue(deals).length,
    amount: amountOf(deals),
    closedWon,
    methods,
    byStage: stages.map(({ stage, index }, i) => ({
      stage,
      ...partOf(
        deals.filter(d => d.stage === index),
        snapshot,
        `/byStage/${i}`,
        notes.reason
      )
    })),
    overdue: part('overdue'),
    undated: part('undated'),
    outside: part('outside'),
    newBusiness,
    categories: categoriesOf(deals, closedWon, settings.categories === 'cumulative'),
    ...(backtest && { backtest })
  }
  if (horizon === null) notes.reason('/horizonDays', 'no_end')
  if (value.amount === null) notes.reason('/amount', 'nothing_valued')
  if (closedWon.value === null) notes.reason('/closedWon/value', 'nothing_valued')
  if (newBusiness.value === null)
    notes.reason('/newBusiness/value', horizon === null ? 'no_end' : 'nothing_valued')
  explained(row, stages, value, settings, notes)
  const lacks: Lacks = {
    missingAmount: deals.filter(d => d.lack === 'missingAmount').length,
    noFxRate: deals.filter(d => d.lack === 'noFxRate').length,
    unknownOdds,
    fallback: Math.max(0, ...methods.map(m => m.fallback ?? 0)),
    closed: snapshot.won + snapshot.lost
  }
  return { value, pending, lacks }
}
