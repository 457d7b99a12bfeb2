import digamma from '@stdlib/math-base-special-digamma'
import gammaln from '@stdlib/math-base-special-gammaln'
import { byX, type Fit } from './bg-nbd.js'
import { differences, maximise, type Objective } from './newton.js'

/** The parameters of the Gamma-Gamma model; `gamma` is in the unit of money. */
export interface GammaGamma {
  p: number
  q: number
  gamma: number
}

/** What a customer paid on the mean, `z`, in `x` orders after the first. */
export interface Spend {
  x: number
  z: number
}

/** Beyond this a parameter runs away: its logarithm, money being told in units of the mean of z. */
const farthest = 9

const unpacked = (point: readonly number[]): GammaGamma => {
  const [p, q, gamma] = point.map(Math.exp) as [number, number, number]
  return { p, q, gamma }
}

function logLikelihood(customers: readonly Spend[], { p, q, gamma }: GammaGamma): number {
  const always = q * Math.log(gamma) - gammaln(q)
  const ofX = byX(customers, x => always + gammaln(p * x + q) - gammaln(p * x) + p * x * Math.log(x))
  let sum = 0
  for (const { x, z } of customers)
    sum += ofX.get(x)! + (p * x - 1) * Math.log(z) - (p * x + q) * Math.log(gamma + x * z)
  return sum
}

/** Derivatives by the logarithms of p, q, gamma. */
function slope(customers: readonly Spend[], { p, q, gamma }: GammaGamma): number[] {
  const ofQ = digamma(q)
  const ofX = byX(customers, x => {
    const together = digamma(p * x + q)
    return { p: together - digamma(p * x), q: together - ofQ + Math.log(gamma) }
  })
  const sums = [0, 0, 0] as [number, number, number]
  for (const { x, z } of customers) {
    const same = ofX.get(x)!
    const log = Math.log(gamma + x * z)
    sums[0] += p * x * (same.p + Math.log(z * x) - log)
    sums[1] += q * (same.q - log)
    sums[2] += q - (gamma * (p * x + q)) / (gamma + x * z)
  }
  return sums
}

const start = [2, 3, 2].map(Math.log)

/** Fits the Gamma-Gamma model (Fader, Hardie 2013) to customers who paid something; undefined where there are none. */
export function fitGammaGamma(all: readonly Spend[]): (GammaGamma & Fit) | undefined {
  const paid = all.filter(c => c.x > 0 && c.z > 0)
  const n = paid.length
  if (n === 0) return undefined
  const scale = paid.reduce((sum, c) => sum + c.z, 0) / n
  const customers = paid.map(({ x, z }) => ({ x, z: z / scale }))
  const gradient = (point: readonly number[]) => slope(customers, unpacked(point))
  const objective: Objective = {
    value: point => logLikelihood(customers, unpacked(point)),
    gradient,
    hessian: differences(gradient)
  }
  const { point, value, converged } = maximise(objective, start)
  const { p, q, gamma } = unpacked(point)
  return {
    p,
    q,
    gamma: gamma * scale,
    logLikelihood: value - n * Math.log(scale),
    converged: converged && point.every(c => Math.abs(c) < farthest),
    n
  }
}

/** The expected value of an order; null where its mean over customers is infinite (q <= 1) and the customer has none. */
export function expectedValue({ p, q, gamma }: GammaGamma, { x, z }: Spend): number | null {
  const weight = p * x + q - 1
  const known = x > 0 && z > 0
  if (known ? weight <= 0 : q <= 1) return null
  return known ? (p * (gamma + x * z)) / weight : (p * gamma) / (q - 1)
}
