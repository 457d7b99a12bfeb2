import { expectedOrders } from './bg-nbd.js'
import {
  fit,
  holdoutCheck,
  outlook,
  type Customer,
  type Fitted,
  type HoldoutCheck,
  type Models,
  type Outlook,
  type ValueSettings
} from './customer-value.js'

/** Below this many customers, or repeaters among them, models are not fitted. */
const fewest = { customers: 100, repeaters: 30 }

/** What models expect of customers; money is null where its model is missing. */
export interface Expectation {
  meanPAlive: number | null
  /** Orders of a customer who has just come. */
  expectedNewCustomer: number | null
  expectedOrders: number
  meanExpectedValue: number | null
  total: number | null
  mean: number | null
  holdout: HoldoutCheck | undefined
}

/** Which model there is none of, and why. */
export type Refusals = Partial<Record<'bgNbd' | 'gammaGamma', string>>

/** Both models of some customers, and what they expect; no expectation without the model of orders. */
export interface Prediction {
  fitted: Fitted
  refused: Refusals
  expected: Expectation | undefined
  /** Of each customer. */
  outlooks: Outlook[]
}

const sum = (values: readonly number[]) => values.reduce((all, v) => all + v, 0)

function meanOf(values: readonly (number | null)[]): number | null {
  const known = values.filter(v => v !== null)
  return known.length === 0 ? null : sum(known) / known.length
}

/** What models expect of customers, in all and of each. */
export function expectationOf(
  models: Models,
  customers: readonly Customer[],
  settings: ValueSettings
): { expected: Expectation; outlooks: Outlook[] } {
  const outlooks = customers.map(c => outlook(models, c, settings))
  const values = outlooks.map(o => o.value)
  const known = values.filter(v => v !== null)
  const { holdout } = settings
  return {
    outlooks,
    expected: {
      meanPAlive: meanOf(outlooks.map(o => o.pAlive)),
      expectedNewCustomer: expectedOrders(models.bgNbd, { x: 0, tx: 0, T: 0 }, settings.expected),
      expectedOrders: sum(outlooks.map(o => o.expectedOrders)),
      meanExpectedValue: meanOf(outlooks.map(o => o.expectedValue)),
      total: known.length > 0 ? sum(known) : null,
      mean: meanOf(values),
      holdout: holdout === undefined ? undefined : holdoutCheck(models, customers, values, holdout)
    }
  }
}

function refusalsOf({ bgNbd, gammaGamma }: Fitted): Refusals {
  if (!bgNbd?.converged) return { bgNbd: 'not_converged', gammaGamma: 'not_converged' }
  if (gammaGamma?.converged) return {}
  return { gammaGamma: gammaGamma ? 'not_converged' : 'nothing_valued' }
}

/** Fits both models to customers who are not too few, and says what they expect. */
export function predictionOf(customers: readonly Customer[], settings: ValueSettings): Prediction {
  const repeaters = customers.filter(c => c.x > 0).length
  if (customers.length < fewest.customers || repeaters < fewest.repeaters) {
    const refused = { bgNbd: 'too_few_customers', gammaGamma: 'too_few_customers' }
    const fitted = { bgNbd: undefined, gammaGamma: undefined, correlation: null }
    return { fitted, refused, expected: undefined, outlooks: [] }
  }
  const fitted = fit(customers)
  const refused = refusalsOf(fitted)
  if (refused.bgNbd !== undefined) return { fitted, refused, expected: undefined, outlooks: [] }
  const gammaGamma = refused.gammaGamma === undefined ? fitted.gammaGamma : undefined
  return { fitted, refused, ...expectationOf({ bgNbd: fitted.bgNbd!, gammaGamma }, customers, settings) }
}
