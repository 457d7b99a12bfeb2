import { expectedOrders, fitBgNbd, pAlive, type BgNbd, type Fit, type Recency } from './bg-nbd.js'
import { expectedValue, fitGammaGamma, type GammaGamma } from './gamma-gamma.js'
import { ascending } from './stats.js'

/** A customer as the models see it; `z` is the mean value of the orders after the first, null where unknown. */
export interface Customer extends Recency {
  z: number | null
  /** Orders and their value in the time after calibration. */
  holdoutOrders: number
  holdoutSpend: number
}

/** What is asked of the models; times in their unit. */
export interface ValueSettings {
  /** The time over which orders are expected. */
  expected: number
  holdout: number | undefined
  /** A month in the unit of the model. */
  month: number
  months: number
  monthlyDiscount: number
  margin: number
}

/** Parameters that were found or given. */
export interface Models {
  bgNbd: BgNbd
  gammaGamma: GammaGamma | undefined
}

/** What a customer is expected to bring; null where the models cannot say. */
export interface Outlook {
  pAlive: number
  expectedOrders: number
  expectedValue: number | null
  value: number | null
}

const spend = ({ x, z }: Customer) => ({ x, z: z ?? 0 })

/** What the models say of a customer. */
export function outlook(models: Models, customer: Customer, settings: ValueSettings): Outlook {
  const { bgNbd, gammaGamma } = models
  const orders = (time: number) => expectedOrders(bgNbd, customer, time)
  const each = gammaGamma ? expectedValue(gammaGamma, spend(customer)) : null
  let [value, before] = [0, 0]
  for (let month = 1; month <= settings.months && each !== null; month++) {
    const until = orders(month * settings.month)
    value += (each * settings.margin * (until - before)) / (1 + settings.monthlyDiscount) ** month
    before = until
  }
  return {
    pAlive: pAlive(bgNbd, customer),
    expectedOrders: orders(settings.expected),
    expectedValue: each,
    value: each === null ? null : value
  }
}

/** Both fits, with what the model of order values takes for granted: that x and z do not depend on each other. */
export interface Fitted {
  bgNbd: (BgNbd & Fit & { repeaters: number }) | undefined
  gammaGamma: (GammaGamma & Fit) | undefined
  correlation: number | null
}

/** The product-moment correlation; null where one of both does not vary. */
export function correlation(pairs: readonly (readonly [number, number])[]): number | null {
  const n = pairs.length
  const [meanA, meanB] = [0, 1].map(i => pairs.reduce((sum, p) => sum + p[i]!, 0) / n) as [number, number]
  let [ab, aa, bb] = [0, 0, 0]
  for (const [a, b] of pairs) {
    ab += (a - meanA) * (b - meanB)
    aa += (a - meanA) ** 2
    bb += (b - meanB) ** 2
  }
  return aa > 0 && bb > 0 ? ab / Math.sqrt(aa * bb) : null
}

/** Fits both models. */
export function fit(customers: readonly Customer[]): Fitted {
  const bgNbd = fitBgNbd(customers)
  const valued = customers.filter(c => c.x > 0 && (c.z ?? 0) > 0)
  return {
    bgNbd: bgNbd && { ...bgNbd, repeaters: customers.filter(c => c.x > 0).length },
    gammaGamma: fitGammaGamma(valued.map(spend)),
    correlation: correlation(valued.map(c => [c.x, c.z!] as const))
  }
}

/** How well the expected orders met those that came. */
export interface HoldoutCheck {
  orders: number
  spend: number
  expected: number
  /** What a constant rate of orders would have given. */
  constantRate: number
  /** Customers by x; the last one stands for all that came more often. */
  byFrequency: { x: number; n: number; actual: number; expected: number }[]
  meanAbsoluteError: number
  correlation: number | null
  /** The share of spend by the tenth of customers with the highest value; null where nobody spent anything. */
  topDecileSpendShare: number | null
}

const lastFrequency = 7

const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)

/** Compares what was expected over the hold-out with what came. */
export function holdoutCheck(
  { bgNbd }: Models,
  customers: readonly Customer[],
  values: readonly (number | null)[],
  holdout: number
): HoldoutCheck {
  const expected = customers.map(c => expectedOrders(bgNbd, c, holdout))
  const spent = sum(customers.map(c => c.holdoutSpend))
  const frequencies = ascending([...new Set(customers.map(c => Math.min(c.x, lastFrequency)))])
  const byFrequency = frequencies.map(x => {
    const [actual, wanted]: [number[], number[]] = [[], []]
    customers.forEach((c, i) => {
      if (Math.min(c.x, lastFrequency) !== x) return
      actual.push(c.holdoutOrders)
      wanted.push(expected[i]!)
    })
    const n = actual.length
    return { x, n, actual: sum(actual) / n, expected: sum(wanted) / n }
  })
  const ranked = customers
    .map((c, i) => ({ spend: c.holdoutSpend, value: values[i] ?? -Infinity }))
    .sort((a, b) => b.value - a.value)
  const top = ranked.slice(0, Math.floor(ranked.length / 10))
  return {
    orders: sum(customers.map(c => c.holdoutOrders)),
    spend: spent,
    expected: sum(expected),
    constantRate: sum(customers.map(c => (c.T > 0 ? (c.x / c.T) * holdout : 0))),
    byFrequency,
    meanAbsoluteError:
      sum(customers.map((c, i) => Math.abs(c.holdoutOrders - expected[i]!))) / customers.length,
    correlation: correlation(customers.map((c, i) => [c.holdoutOrders, expected[i]!] as const)),
    topDecileSpendShare: spent > 0 ? sum(top.map(c => c.spend)) / spent : null
  }
}
