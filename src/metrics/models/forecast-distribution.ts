import { Big } from 'big.js'
import { randomNumbers } from './random.js'

/** A deal as a yes or no draw. */
interface Draw<A> {
  amount: A
  p: number
}

/** A total with its probability. */
export interface Outcome {
  total: Big
  p: number
}

/** What a sum may come to, in ascending order of totals; a total is made a decimal when it is asked for. */
export interface Distribution {
  chances: Float64Array
  totalAt(place: number): Big
}

/** The most deals whose distribution is worked out exactly: there may be two totals for each set of them. */
export const mostExactDeals = 20

const tolerance = 1e-9

interface Numbers<T> {
  [place: number]: T
}

interface Arithmetic<T> {
  of(units: bigint): T
  plus(a: T, b: T): T
  room(length: number): Numbers<T>
}

// Many times quicker than the other, as long as all sums are exact.
const safe: Arithmetic<number> = {
  of: Number,
  plus: (a, b) => a + b,
  room: length => new Float64Array(length)
}

const large: Arithmetic<bigint> = {
  of: units => units,
  plus: (a, b) => a + b,
  room: length => new Array<bigint>(length)
}

interface Sums<T> {
  totals: Numbers<T>
  chances: Float64Array
}

/** The sums with one more deal: those without it and those with it are both in order already. */
function withDeal<T extends number | bigint>(
  { totals, chances }: Sums<T>,
  units: T,
  p: number,
  { plus, room }: Arithmetic<T>
): Sums<T> {
  const n = chances.length
  const [next, odds] = [room(2 * n), new Float64Array(2 * n)]
  let [lost, won, size] = [0, 0, 0]
  while (lost < n || won < n) {
    const more = won < n ? plus(totals[won]!, units) : undefined
    const less = lost < n ? totals[lost]! : undefined
    const total = less === undefined || (more !== undefined && more < less) ? more! : less
    let q = 0
    if (less === total) q += chances[lost++]! * (1 - p)
    if (more === total) q += chances[won++]! * p
    if (q === 0) continue
    next[size] = total
    odds[size++] = q
  }
  return { totals: next, chances: odds.subarray(0, size) }
}

function distributionOf<T extends number | bigint>(
  deals: readonly Draw<bigint>[],
  unit: Big,
  arithmetic: Arithmetic<T>
): Distribution {
  const none: Sums<T> = { totals: arithmetic.room(1), chances: new Float64Array([1]) }
  none.totals[0] = arithmetic.of(0n)
  const { totals, chances } = deals.reduce(
    (sums, { amount, p }) => withDeal(sums, arithmetic.of(amount), p, arithmetic),
    none
  )
  return { chances, totalAt: place => new Big(totals[place]!.toString()).div(unit) }
}

const magnitude = (units: bigint) => (units < 0n ? -units : units)

/** The distribution of the sum of independent deals. */
export function exactDistribution(deals: readonly Draw<Big>[]): Distribution {
  const places = Math.max(0, ...deals.map(d => (d.amount.toFixed().split('.')[1] ?? '').length))
  const unit = new Big(10).pow(places)
  // Whole numbers of the smallest unit: equal totals are found by them, and they are quicker to add.
  const whole = deals.map(({ amount, p }) => ({ amount: BigInt(amount.times(unit).toFixed()), p }))
  const farthest = whole.reduce((sum, { amount }) => sum + magnitude(amount), 0n)
  return farthest <= BigInt(Number.MAX_SAFE_INTEGER)
    ? distributionOf(whole, unit, safe)
    : distributionOf(whole, unit, large)
}

/** All totals of a distribution. */
export const outcomesOf = ({ chances, totalAt }: Distribution): Outcome[] =>
  Array.from(chances, (p, place) => ({ total: totalAt(place), p }))

/** The smallest total that is not exceeded with the probability; undefined where there is none. */
export function exactQuantile({ chances, totalAt }: Distribution, probability: number): Big | undefined {
  let sum = 0
  const place = chances.findIndex(p => (sum += p) >= probability - tolerance)
  return place < 0 ? undefined : totalAt(place)
}

/** Totals of deals drawn again and again, in ascending order; `amountOf` may draw the amount too. */
export function drawnTotals<D extends { p: number }>(
  deals: readonly D[],
  draws: number,
  seed: number,
  amountOf: (deal: D, random: () => number) => number
): Float64Array {
  const random = randomNumbers(seed)
  const totals = new Float64Array(draws)
  for (let i = 0; i < draws; i++)
    for (const deal of deals) if (random() < deal.p) totals[i]! += amountOf(deal, random)
  return totals.sort()
}

/** The smallest of sorted totals that is not exceeded with the probability; undefined where there is none. */
export const drawnQuantile = (totals: Float64Array, probability: number): number | undefined =>
  totals[Math.max(0, Math.ceil(totals.length * (probability - tolerance)) - 1)]
