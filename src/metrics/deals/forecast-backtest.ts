import type { Static } from '../../kernel/schema.js'
import { mean } from '../models/stats.js'
import { estimate, isWeighing, weigherOf, type ForecastMethod } from './forecast-methods.js'
import type { value } from './forecast-schema.js'
import { wonOf, type Found, type OpenDeal, type Snapshot, type Won } from './forecast-snapshot.js'
import type { Window } from './forecast-windows.js'

type Backtest = NonNullable<Static<typeof value>['backtest']>
type Tested = Backtest['windows'][number]['methods'][number]

/** What a window of the past brought, for `run_rate` and `seasonal`. */
export type Benchmark = Extract<ForecastMethod, 'run_rate' | 'seasonal'>

const unknown: Won = { n: 0, value: null }

/** What the window before, or that of a year before, brought; undefined where no deal was known by its end. */
export function benchmark(
  row: Found | undefined,
  { since, moment }: Snapshot,
  method: Benchmark
): Won | undefined {
  const end = method === 'run_rate' ? moment.previousTo : moment.seasonTo
  if (since === null || end === null || since >= Date.parse(end)) return undefined
  return wonOf(row, method === 'run_rate' ? 'wonBefore' : 'wonSeason')
}

/** Expected / actual - 1; null where one is unknown, or nothing was won. */
function errorOf(expected: string | null, actual: string | null): number | null {
  if (expected === null || actual === null || Number(actual) === 0) return null
  return Number(expected) / Number(actual) - 1
}

/** A moment with what is known of it; its snapshot is made when it is asked for, so that there is one at a time. */
export interface Seen {
  row: Found | undefined
  snapshot(): Snapshot
}

function tested(
  method: ForecastMethod,
  row: Found | undefined,
  snapshot: Snapshot,
  deals: readonly OpenDeal[],
  actual: Record<'fromOpen' | 'all', Won>
): Tested {
  if (isWeighing(method)) {
    const { expectedWon, value } = estimate(deals, weigherOf(method, snapshot))
    return { method, won: expectedWon, value, error: errorOf(value, actual.fromOpen.value) }
  }
  const found = benchmark(row, snapshot, method)
  const { value } = found ?? unknown
  return { method, won: found?.n ?? null, value, error: errorOf(value, actual.all.value) }
}

const meanOf = (errors: readonly (number | null)[], of: (error: number) => number) =>
  mean(errors.flatMap(e => (e === null ? [] : [of(e)])))

/** How the methods would have done: `seen` are the starts of the windows after the end of the last one, backwards. */
export function backtestOf(
  methods: readonly ForecastMethod[],
  seen: readonly Seen[],
  chosen: (deal: OpenDeal) => boolean
): Backtest {
  const windows = seen.slice(1).flatMap((start, i) => {
    const snapshot = start.snapshot()
    // Before there was any deal nothing was known to forecast from.
    if (snapshot.since === null) return []
    const end = seen[i]!.row
    const deals = snapshot.open.filter(chosen)
    const actual = { fromOpen: wonOf(end, 'wonFromOpen'), all: wonOf(end, 'wonBefore') }
    const { from, to } = snapshot.moment as Window
    const found = methods.map(method => tested(method, start.row, snapshot, deals, actual))
    return [{ from, to, actualFromOpen: actual.fromOpen, actual: actual.all, methods: found }]
  })
  windows.reverse()
  const accuracies = methods.map((method, i) => {
    const errors = windows.map(w => w.methods[i]!.error)
    return { method, mape: meanOf(errors, Math.abs), bias: meanOf(errors, e => e) }
  })
  const [best] = accuracies
    .filter((a): a is typeof a & { mape: number } => a.mape !== null)
    .sort((a, b) => a.mape - b.mape)
  return { windows, methods: accuracies, best: best?.method ?? null }
}
