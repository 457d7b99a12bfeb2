import { Big } from 'big.js'
import type { Numbers } from '../counted.js'
import { sampleOf } from '../samples.js'
import type { PipelineThen } from '../pipeline.js'
import type { Moment } from './forecast-windows.js'

export type Place = 'expected' | 'overdue' | 'undated' | 'outside'

interface FoundDeal {
  stage: number
  days: number
  stageDays: number
  value: string | null
  missing: boolean
  probability: number | null
  place: Place
  category: string | null
  productId: string | null
  listPrice: string | null
}

type Summed = 'wonNow' | 'wonBefore' | 'wonSeason' | 'wonNew' | 'wonFromOpen'

/** What is counted of the deals of a cut at one moment. */
export type Found = Numbers & { n: number; won: number; lost: number; since: string | null } & Record<
    Summed,
    number
  > &
  Record<`${Summed}Value`, string | null> & {
    wonDays: Buffer | null
    lostDays: Buffer | null
    lostFurthest: Buffer | null
    wonTimes: Buffer | null
    lostTimes: Buffer | null
    openTimes: Buffer | null
    open: FoundDeal[] | null
    wonValues: [string | null, string][] | null
  }

/** Won amounts of a product, or of all, that an unknown amount may be. */
export interface WonValues {
  mean: Big
  variance: number
  values: number[]
}

/** An open deal as a forecast sees it. */
export interface OpenDeal extends Omit<FoundDeal, 'value' | 'listPrice' | 'productId' | 'missing'> {
  position: number
  /** In the currency of the figure; null while unknown. */
  amount: Big | null
  /** Why it is unknown. */
  lack: 'missingAmount' | 'noFxRate' | null
  /** What its amount is drawn from. */
  drawn?: WonValues
}

/** The pipeline at a moment. */
export interface Snapshot {
  moment: Moment
  open: OpenDeal[]
  won: number
  lost: number
  wonDays: Float64Array
  lostDays: Float64Array
  lostFurthest: Float64Array
  /** Days from the last entry into a stage until the close, or until now, by the index of the stage. */
  times: Record<'won' | 'lost' | 'open', Map<number, number[]>>
}

/** How an unknown amount is treated. */
export interface Amounts {
  missingAmount: 'exclude' | 'list_price' | 'mean_won'
  amounts: 'fixed' | 'drawn'
}

function pairs(bytes: Buffer | null): Map<number, number[]> {
  const times = new Map<number, number[]>()
  const numbers = sampleOf(bytes)
  for (let i = 0; i < numbers.length; i += 2) {
    const of = times.get(numbers[i]!)
    if (of) of.push(numbers[i + 1]!)
    else times.set(numbers[i]!, [numbers[i + 1]!])
  }
  return times
}

function wonValuesOf(amounts: readonly string[]): WonValues {
  const mean = amounts.reduce((sum, a) => sum.plus(a), new Big(0)).div(amounts.length)
  const values = amounts.map(Number)
  const variance = values.reduce((sum, v) => sum + (v - Number(mean)) ** 2, 0) / values.length
  return { mean, variance, values }
}

// Those of the same product; of all where a deal has none, or nothing of it was won yet.
function wonValuesBy(found: Found['wonValues']): (productId: string | null) => WonValues | undefined {
  if (!found || found.length === 0) return () => undefined
  const all = wonValuesOf(found.map(([, value]) => value))
  const by = new Map<string, string[]>()
  for (const [product, value] of found) {
    if (product === null) continue
    const of = by.get(product)
    if (of) of.push(value)
    else by.set(product, [value])
  }
  const known = new Map([...by].map(([product, values]) => [product, wonValuesOf(values)]))
  return product => (product === null ? all : (known.get(product) ?? all))
}

type Worth = Pick<OpenDeal, 'amount' | 'lack' | 'drawn'>

function worthOf(
  { value, missing, listPrice, productId }: FoundDeal,
  { missingAmount, amounts }: Amounts,
  wonValues: (productId: string | null) => WonValues | undefined
): Worth {
  if (value !== null) return { amount: new Big(value), lack: null }
  if (!missing) return { amount: null, lack: 'noFxRate' }
  if (missingAmount === 'list_price' && listPrice !== null) return { amount: new Big(listPrice), lack: null }
  const won = missingAmount === 'mean_won' ? wonValues(productId) : undefined
  if (!won) return { amount: null, lack: 'missingAmount' }
  return { amount: won.mean, lack: null, ...(amounts === 'drawn' && { drawn: won }) }
}

/** The pipeline as the rows of a moment tell it; an empty one where there is none. */
export function snapshotOf(
  row: Found | undefined,
  moment: Moment,
  { stages }: PipelineThen,
  treated: Amounts
): Snapshot {
  const wonValues = wonValuesBy(row?.wonValues ?? null)
  const open = (row?.open ?? []).map(found => {
    const { stage, days, stageDays, probability, place, category } = found
    const { position } = stages[stage]!
    return {
      stage,
      position,
      days,
      stageDays,
      probability,
      place,
      category,
      ...worthOf(found, treated, wonValues)
    }
  })
  return {
    moment,
    open,
    won: row?.won ?? 0,
    lost: row?.lost ?? 0,
    wonDays: sampleOf(row?.wonDays ?? null),
    lostDays: sampleOf(row?.lostDays ?? null),
    lostFurthest: sampleOf(row?.lostFurthest ?? null),
    times: {
      won: pairs(row?.wonTimes ?? null),
      lost: pairs(row?.lostTimes ?? null),
      open: pairs(row?.openTimes ?? null)
    }
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
