import type { Static } from '../../kernel/schema.js'
import { intervalOf } from '../models/forecast-interval.js'
import type { PipelineThen } from '../pipeline.js'
import { backtestOf, benchmark, type Seen } from './forecast-backtest.js'
import {
  estimate,
  forecastMethods,
  isWeighing,
  weigherOf,
  type ForecastMethod,
  type Weighing
} from './forecast-methods.js'
import { amountOf, categoriesOf, partOf, withValue } from './forecast-parts.js'
import type { value } from './forecast-schema.js'
import {
  rowOf,
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
type MethodValue = Value['methods'][number]
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

/** What all cuts of a forecast have in common. */
export interface Asked {
  moments: readonly Moment[]
  pipeline: PipelineThen
  settings: Settings
}

/** What a forecast says of its value, by pointers within it: why numbers are null, and which deals are behind them. */
export interface Said {
  reasons: [pointer: string, code: string][]
  ids: [pointer: string, member: string][]
}

function sayings() {
  const said: Said = { reasons: [], ids: [] }
  return {
    said,
    reason: (pointer: string, code: string) => void said.reasons.push([pointer, code]),
    ids: (pointer: string, member: string) => void said.ids.push([pointer, member])
  }
}

type Notes = ReturnType<typeof sayings>

function weighedMethod(
  method: Weighing,
  snapshot: Snapshot,
  deals: readonly OpenDeal[],
  settings: Settings
): { told: MethodValue; unknown: number } {
  const { chances, unknown, fallback, ...found } = estimate(deals, weigherOf(method, snapshot))
  const told: MethodValue = {
    method,
    ...found,
    ...(fallback > 0 && { fallback }),
    ...(found.value !== null && {
      interval: intervalOf({ ...settings, deals: chances, distribution: false })
    })
  }
  return { told, unknown }
}

function methodReasons(told: MethodValue, deals: readonly OpenDeal[], pointer: string, notes: Notes) {
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
  rows: readonly Found[],
  stages: readonly IndexedStage[],
  value: Value,
  { missingAmount }: Settings,
  { ids }: Notes
) {
  // An unknown amount is that of the won deals where there are some.
  const isMean = missingAmount === 'mean_won' && rows.some(r => r.n === 0 && r.wonValues !== null)
  const valued = isMean ? 'convertible' : 'valued'
  for (const name of ['openDeals', 'deals'] as const) ids(`/${name}`, name)
  for (const name of ['amount', 'dealsWithValue'] as const) ids(`/${name}`, valued)
  for (const name of ['overdue', 'undated', 'outside'] as const) ids(`/${name}/deals`, name)
  ids('/closedWon/n', 'wonNow')
  ids('/newBusiness/n', 'wonNew')
  for (const [i, { index }] of stages.entries()) ids(`/byStage/${i}/deals`, `stage_${index}`)
  for (const [i, { method }] of value.methods.entries()) ids(`/methods/${i}/value`, behind[method] ?? valued)
}

const behind: Partial<Record<ForecastMethod, string>> = { run_rate: 'wonBefore', seasonal: 'wonSeason' }

function backtestReasons(backtest: Backtest, { reason }: Notes): void {
  for (const [i, { mape }] of backtest.methods.entries()) {
    for (const name of mape === null ? ['mape', 'bias'] : [])
      reason(`/backtest/methods/${i}/${name}`, 'nothing_to_compare')
  }
  if (backtest.best === null) reason('/backtest/best', 'nothing_to_compare')
}

/** The forecast of a cut, from its rows. */
export function forecastOf({ moments, pipeline, settings }: Asked, rows: readonly Found[]) {
  const notes = sayings()
  const seen = moments.map((moment): Seen => ({
    row: rowOf(rows, moment),
    snapshot: () => snapshotOf(rows, moment, pipeline, settings)
  }))
  const { row } = seen[0]!
  const snapshot = seen[0]!.snapshot()
  const chosen = chosenBy(settings)
  const deals = snapshot.open.filter(chosen)
  const stages = openShown(pipeline, new Set(snapshot.open.map(d => d.stage)))
  const closedWon = wonOf(row, 'wonNow')
  let unknownOdds = 0
  const methods = settings.methods.map((method, i): MethodValue => {
    const pointer = `/methods/${i}`
    if (!isWeighing(method)) {
      const { n = null, value = null } = benchmark(row, snapshot, method) ?? {}
      const told = { method, expectedWon: n, expectedWonSd: null, value, sd: null }
      methodReasons(told, deals, pointer, notes)
      return told
    }
    const found = weighedMethod(method, snapshot, deals, settings)
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
  for (const [i, { amount }] of value.categories.entries())
    if (amount === null) notes.reason(`/categories/${i}/amount`, 'nothing_valued')
  if (closedWon.value === null) notes.reason('/closedWon/value', 'nothing_valued')
  if (newBusiness.value === null)
    notes.reason('/newBusiness/value', horizon === null ? 'no_end' : 'nothing_valued')
  explained(rows, stages, value, settings, notes)
  const lacks: Lacks = {
    missingAmount: deals.filter(d => d.lack === 'missingAmount').length,
    noFxRate: deals.filter(d => d.lack === 'noFxRate').length,
    unknownOdds,
    fallback: Math.max(0, ...methods.map(m => m.fallback ?? 0)),
    closed: snapshot.won + snapshot.lost
  }
  return { value, lacks, said: notes.said }
}
