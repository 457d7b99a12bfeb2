import digamma from '@stdlib/math-base-special-digamma'
import gammaln from '@stdlib/math-base-special-gammaln'
import { differences, maximise, type Objective, type Optimum } from './newton.js'

/** How often a customer came again: `x` times, last after `tx`, seen for `T`, in one unit of time. */
export interface Recency {
  x: number
  tx: number
  T: number
}

/** The parameters of the BG/NBD model; `alpha` is in the unit of time. */
export interface BgNbd {
  r: number
  alpha: number
  a: number
  b: number
}

/** A fit by maximum likelihood. */
export interface Fit {
  logLikelihood: number
  converged: boolean
  /** Customers. */
  n: number
}

/** Beyond this a parameter runs away: its logarithm, time being told in units of the mean of T. */
const farthest = 9

type Groups = readonly (Recency & { n: number })[]

/** Equal customers are counted once with their number. */
function grouped(customers: readonly Recency[], scale: number): Groups {
  const groups = new Map<string, Recency & { n: number }>()
  for (const { x, tx, T } of customers) {
    const key = `${x} ${tx} ${T}`
    const group = groups.get(key)
    if (group) group.n++
    else groups.set(key, { x, tx: tx / scale, T: T / scale, n: 1 })
  }
  return [...groups.values()]
}

/** What depends on x alone, worked out once for each x. */
export function byX<V>(customers: readonly { x: number }[], of: (x: number) => V): Map<number, V> {
  return new Map([...new Set(customers.map(c => c.x))].map(x => [x, of(x)]))
}

const unpacked = (point: readonly number[]): BgNbd => {
  const [r, alpha, a, b] = point.map(Math.exp) as [number, number, number, number]
  return { r, alpha, a, b }
}

/** The logarithms of the two ways to have been silent since `tx`: still there, or gone right after it. */
function ways({ r, alpha, a, b }: BgNbd, { x, tx, T }: Recency): [number, number] {
  const there = -(r + x) * Math.log(alpha + T)
  const gone = x > 0 ? Math.log(a / (b + x - 1)) - (r + x) * Math.log(alpha + tx) : -Infinity
  return [there, gone]
}

function logLikelihood(groups: Groups, model: BgNbd): number {
  const { r, alpha, a, b } = model
  const always = r * Math.log(alpha) - gammaln(r) - gammaln(b) + gammaln(a + b)
  const ofX = byX(groups, x => gammaln(r + x) + gammaln(b + x) - gammaln(a + b + x))
  let sum = 0
  for (const group of groups) {
    const [there, gone] = ways(model, group)
    const larger = Math.max(there, gone)
    const silent = larger + Math.log(Math.exp(there - larger) + Math.exp(gone - larger))
    sum += group.n * (always + ofX.get(group.x)! + silent)
  }
  return sum
}

/** Derivatives by the logarithms of r, alpha, a, b. */
function slope(groups: Groups, model: BgNbd): number[] {
  const { r, alpha, a, b } = model
  const [ofR, ofB, ofAB] = [digamma(r), digamma(b), digamma(a + b)]
  const ofX = byX(groups, x => {
    const together = digamma(a + b + x)
    return { r: digamma(r + x) - ofR, a: ofAB - together, b: digamma(b + x) - together - ofB + ofAB }
  })
  const sums = [0, 0, 0, 0] as [number, number, number, number]
  for (const group of groups) {
    const { x, tx, T, n } = group
    const [there, gone] = ways(model, group)
    const left = x > 0 ? 1 / (1 + Math.exp(there - gone)) : 0
    const stayed = 1 - left
    const same = ofX.get(x)!
    const rate = stayed * Math.log(alpha + T) + left * Math.log(alpha + tx)
    sums[0] += n * r * (same.r + Math.log(alpha) - rate)
    sums[1] += n * (r - alpha * (r + x) * (stayed / (alpha + T) + left / (alpha + tx)))
    sums[2] += n * (a * same.a + left)
    sums[3] += n * b * (same.b - (x > 0 ? left / (b + x - 1) : 0))
  }
  return sums
}

const starts = [
  [1, 0.5, 1, 1],
  [0.3, 0.1, 0.7, 2.5],
  [3, 1, 0.3, 5]
].map(start => start.map(Math.log))

/** The first search that converges, else the one that came farthest. */
function bestOf(objective: Objective): Optimum {
  const failed: Optimum[] = []
  for (const start of starts) {
    const found = maximise(objective, start)
    if (found.converged) return found
    failed.push(found)
  }
  return failed.reduce((best, other) => (other.value > best.value ? other : best))
}

/**
 * Fits the BG/NBD model (Fader, Hardie, Lee 2005, Marketing Science 24, 275–284) by maximum likelihood. Undefined where
 * nobody was seen for any time.
 */
export function fitBgNbd(customers: readonly Recency[]): (BgNbd & Fit) | undefined {
  const n = customers.length
  const scale = customers.reduce((sum, c) => sum + c.T, 0) / n
  if (!(scale > 0)) return undefined
  const groups = grouped(customers, scale)
  const gradient = (point: readonly number[]) => slope(groups, unpacked(point))
  const objective: Objective = {
    value: point => logLikelihood(groups, unpacked(point)),
    gradient,
    hessian: differences(gradient)
  }
  const best = bestOf(objective)
  const orders = customers.reduce((sum, c) => sum + c.x, 0)
  const { r, alpha, a, b } = unpacked(best.point)
  return {
    r,
    alpha: alpha * scale,
    a,
    b,
    // A density of order times is told in another unit of time.
    logLikelihood: best.value - orders * Math.log(scale),
    converged: best.converged && best.point.every(p => Math.abs(p) < farthest),
    n
  }
}

/** The probability that a customer will come again at all; 1 for one who came once. */
export function pAlive(model: BgNbd, customer: Recency): number {
  const [there, gone] = ways(model, customer)
  return 1 / (1 + Math.exp(gone - there))
}

const mostTerms = 1_000_000

/** `1 + first + …`, less its 1: each further term is the one before times what `ratio` says of its number. */
function series(first: number, ratio: (n: number) => number): number {
  let [sum, term] = [first, first]
  for (let n = 1; n < mostTerms && Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= ratio(n)
    sum += term
  }
  return sum
}

/**
 * Expected orders of a customer in the time `t` to come. Where the hypergeometric function converges slowly, Euler's
 * transformation of it is taken: (1 - z)^(a-1) 2F1(a+b-1-r, a-1; a+b+x-1; z), whose first parameter that vanishes with
 * a - 1 cancels with the divisor, so that a = 1 is no exception.
 */
export function expectedOrders(model: BgNbd, customer: Recency, t: number): number {
  const { r, alpha, a, b } = model
  const { x, T } = customer
  if (t === 0) return 0
  const z = t / (alpha + T + t)
  const log = Math.log1p(-z)
  const c = a + b + x - 1
  const alive = pAlive(model, customer)
  const [p, q] = [r + x, b + x]
  if (a - 1 > Math.max(1, p)) {
    const f = 1 + series((p * q * z) / c, n => (((p + n) * (q + n)) / ((c + n) * (n + 1))) * z)
    return ((c * (1 - Math.exp(p * log) * f)) / (a - 1)) * alive
  }
  const e = a - 1
  const first = a + b - 1 - r
  const rest = series(first * z, n => (((first + n) * (e + n)) / ((c + n) * (n + 1))) * z)
  const limit = e === 0 ? -log : -Math.expm1(e * log) / e
  return (c * limit - Math.exp(e * log) * rest) * alive
}
