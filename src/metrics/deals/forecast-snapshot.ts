import { Big } from 'big.js'
import type { Numbers } from '../counted.js'
import { joined } from '../models/stats.js'
import { sampleOf } from '../samples.js'
import type { PipelineThen } from '../pipeline.js'
import type { Moment } from './forecast-windows.js'
import { remembered } from './remembered.js'

export type Place = 'expected' | 'overdue' | 'undated' | 'outside'

/** The numbers that an open deal is told by, in their order. */
export const openNumbers = ['stage', 'days', 'stageDays', 'probability'] as const

/** What stands for an amount that there is no rate for; nothing stands for one that is missing. */
export const noRate = '?'

/** Texts of open deals, between commas in the order of the numbers. */
export interface OpenTexts {
  openPlaces: string | null
  openCategories: string | null
  openValues: string | null
  openPrices: string | null
  openProducts: string | null
}

type Summed = 'wonNow' | 'wonBefore' | 'wonSeason' | 'wonNew' | 'wonFromOpen'

type Closing = 'won' | 'lost' | 'open'

/** What is counted of the deals of a cut that are the same at the moments from `n` back `through` another one. */
export type Found = Numbers & {
  n: number
  through: number
  won: number
  lost: number
  since: string | null
} & Record<Summed, number> &
  Record<`${Summed}Value`, string | null> &
  /** Pairs of a stage and the days from its last entry until the close, or until then. */
  Record<`${Closing}Times`, Uint8Array | null> &
  OpenTexts & {
    wonDays: Uint8Array | null
    lostDays: Uint8Array | null
    lostFurthest: Uint8Array | null
    open: Uint8Array | null
    /** Product and value of each, between commas. */
    wonValues: string | null
  }

/** Won amounts of a product, or of all, that an unknown amount may be. */
export interface WonValues {
  mean: Big
  variance: number
  values: number[]
}

/** An open deal as a forecast sees it. */
export interface OpenDeal {
  stage: number
  position: number
  days: number
  stageDays: number
  probability: number | null
  place: Place
  category: string | null
  /** In the currency of the figure; null while unknown. */
  amount: Big | null
  /** The amount as a number, 0 while unknown. */
  size: number
  /** Why it is unknown. */
  lack: 'missingAmount' | 'noFxRate' | null
  /** What its amount is drawn from. */
  drawn?: WonValues
}

/** The pipeline at a moment. */
export interface Snapshot {
  moment: Moment
  /** When the first of its deals was known, in ms since 1970; null where none was. */
  since: number | null
  open: OpenDeal[]
  won: number
  lost: number
  wonDays: Float64Array
  lostDays: Float64Array
  lostFurthest: Float64Array
  /** Days from the last entry into a stage until the close, or until now, by the index of the stage. */
  times(stage: number): Record<Closing, Float64Array>
}

/** How an unknown amount is treated. */
export interface Amounts {
  missingAmount: 'exclude' | 'list_price' | 'mean_won'
  amounts: 'fixed' | 'drawn'
}

function wonValuesOf(amounts: readonly string[]): WonValues {
  const mean = amounts.reduce((sum, a) => sum.plus(a), new Big(0)).div(amounts.length)
  const values = amounts.map(Number).sort((a, b) => a - b)
  const variance = values.reduce((sum, v) => sum + (v - Number(mean)) ** 2, 0) / values.length
  return { mean, variance, values }
}

type WonValuesOf = (product: string) => WonValues | undefined

// Those of the same product; of all where a deal has none, or nothing of it was won yet.
function wonValuesBy(rows: readonly Found[]): WonValuesOf {
  const found = rows
    .flatMap(r => r.wonValues?.split(',') ?? [])
    .map(one => one.split(' ') as [string, string])
  if (found.length === 0) return () => undefined
  const all = wonValuesOf(found.map(([, value]) => value))
  const by = new Map<string, string[]>()
  for (const [product, value] of found) {
    const of = by.get(product)
    if (of) of.push(value)
    else by.set(product, [value])
  }
  by.delete('')
  const known = new Map([...by].map(([product, values]) => [product, wonValuesOf(values)]))
  return product => known.get(product) ?? all
}

type Worth = Pick<OpenDeal, 'amount' | 'size' | 'lack' | 'drawn'>

const worth = (text: string): Worth => ({ amount: new Big(text), size: Number(text), lack: null })
const unknown = (lack: OpenDeal['lack']): Worth => ({ amount: null, size: 0, lack })

function worthOf(
  value: string,
  price: string,
  product: string,
  { missingAmount, amounts }: Amounts,
  wonValues: WonValuesOf
): Worth {
  if (value === noRate) return unknown('noFxRate')
  if (value !== '') return worth(value)
  if (missingAmount === 'list_price' && price !== '') return worth(price)
  const won = missingAmount === 'mean_won' ? wonValues(product) : undefined
  if (!won) return unknown('missingAmount')
  const { mean } = won
  return { amount: mean, size: Number(mean), lack: null, ...(amounts === 'drawn' && { drawn: won }) }
}

// Deals that are alike in all of this are alike in every sum and draw, so that the same deals have the same forecast.
const inOrder = (a: OpenDeal, b: OpenDeal) =>
  a.days - b.days ||
  a.size - b.size ||
  a.stage - b.stage ||
  a.stageDays - b.stageDays ||
  Number(a.probability) - Number(b.probability)

function openOf(row: Found, { stages }: PipelineThen, treated: Amounts, wonValues: WonValuesOf): OpenDeal[] {
  const numbers = sampleOf(row.open)
  const [places, categories, values, prices, products] = [
    row.openPlaces,
    row.openCategories,
    row.openValues,
    row.openPrices,
    row.openProducts
  ].map(texts => texts?.split(',') ?? [])
  const width = openNumbers.length
  const deals = Array.from({ length: numbers.length / width }, (_, i): OpenDeal => {
    const told = (name: (typeof openNumbers)[number]) => numbers[i * width + openNumbers.indexOf(name)]!
    const [stage, probability] = [told('stage'), told('probability')]
    return {
      stage,
      position: stages[stage]!.position,
      days: told('days'),
      stageDays: told('stageDays'),
      probability: Number.isNaN(probability) ? null : probability,
      place: places![i] as Place,
      category: categories![i] || null,
      ...worthOf(values![i]!, prices![i] ?? '', products![i] ?? '', treated, wonValues)
    }
  })
  return deals.sort(inOrder)
}

function byStage(pairs: Float64Array): Map<number, Float64Array> {
  const counts = new Map<number, number>()
  for (let i = 0; i < pairs.length; i += 2) counts.set(pairs[i]!, (counts.get(pairs[i]!) ?? 0) + 1)
  const found = new Map([...counts].map(([stage, n]) => [stage, { days: new Float64Array(n), filled: 0 }]))
  for (let i = 0; i < pairs.length; i += 2) {
    const of = found.get(pairs[i]!)!
    of.days[of.filled++] = pairs[i + 1]!
  }
  return new Map([...found].map(([stage, { days }]) => [stage, days]))
}

/** The row of the open deals of a moment, and of those won in its windows; undefined where there are none. */
export const rowOf = (rows: readonly Found[], { n }: Moment) => rows.find(r => r.n === n && r.through === n)

/** The pipeline as the rows tell it that include the moment. */
export function snapshotOf(
  all: readonly Found[],
  moment: Moment,
  pipeline: PipelineThen,
  treated: Amounts
): Snapshot {
  const rows = all.filter(r => r.n <= moment.n && moment.n <= r.through)
  const row = rowOf(rows, moment)
  const sample = (of: (row: Found) => Uint8Array | null) => joined(...rows.map(r => sampleOf(of(r))))
  const count = (state: 'won' | 'lost') => rows.reduce((n, r) => n + r[state], 0)
  const times = remembered((state: Closing) => byStage(sample(r => r[`${state}Times`])))
  const of = (state: Closing, stage: number) => times(state).get(stage) ?? new Float64Array()
  const since = rows.flatMap(r => (r.since === null ? [] : [Date.parse(r.since)]))
  return {
    moment,
    since: since.length > 0 ? Math.min(...since) : null,
    open: row ? openOf(row, pipeline, treated, wonValuesBy(rows)) : [],
    won: count('won'),
    lost: count('lost'),
    wonDays: sample(r => r.wonDays),
    lostDays: sample(r => r.lostDays),
    lostFurthest: sample(r => r.lostFurthest),
    times: stage => ({ won: of('won', stage), lost: of('lost', stage), open: of('open', stage) })
  }
}

/** A number of won deals with what they brought. */
export interface Won {
  n: number
  /** Null where none of them has a known value. */
  value: string | null
}

/** Won deals of one of the windows that a row tells of. */
export function wonOf(row: Found | undefined, name: Summed): Won {
  const n = row?.[name] ?? 0
  return { n, value: n === 0 ? '0' : row![`${name}Value`] }
}
