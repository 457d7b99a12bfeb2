import { type Big } from 'big.js'
import { Closed, Computed, Enum, Nullable, Number as AnyNumber, type Static } from '../../kernel/schema.js'
import { shownDecimal } from '../models/exact.js'
import { described } from '../parameters.js'
import { ltvMethods, type Worth } from './worth.js'

export const acquisitionValue = Closed(
  {
    cost: Nullable(Computed('What was spent; null where no cost is recorded.')),
    newCustomers: described(
      { ...AnyNumber(), minimum: 0 },
      'Customers won for the first time; in groups those credited by the model, in fractions.'
    ),
    cac: Nullable(Computed('The cost for each new customer.')),
    monthlyMarginPerCustomer: Nullable(
      Computed('What a customer brings in a month: average order value * orders per month * margin.')
    ),
    paybackMonths: Nullable(described(AnyNumber(), 'After how many months a customer has brought the cost.')),
    ltv: Nullable(Computed('The lifetime value of a customer by the method named.')),
    ltvToCac: Nullable(described(AnyNumber(), 'The one of the other.')),
    ltvMethod: Nullable(
      described(Enum('LifetimeValueMethod', ltvMethods), 'How the lifetime value was found.')
    )
  },
  { 'x-type': 'AcquisitionCost', description: 'What new customers cost.' }
)

export type AcquisitionValue = Static<typeof acquisitionValue>

/** What the figure says of a cost and the customers that it won. */
export interface Spent {
  cost: Big | null
  newCustomers: number
  /** Why the cost is unknown. */
  unknown: string
}

type Reason = (pointer: string, code: string) => void

const over = (a: Big | null, b: Big | null) => (a === null || b === null || b.eq(0) ? null : a.div(b))
const shown = (value: Big | null) => value && shownDecimal(value)

/** The value of a cost, customers and what these are worth. */
export function acquisitionOf(
  { cost, newCustomers, unknown }: Spent,
  { monthly, lifetime }: Worth,
  ltvMethod: AcquisitionValue['ltvMethod'],
  reason: Reason
): AcquisitionValue {
  const cac = newCustomers === 0 ? null : cost && cost.div(newCustomers)
  const paybackMonths = over(cac, monthly)
  const ltvToCac = over(lifetime, cac)
  if (cost === null) reason('/cost', unknown)
  const whyNoCac = cost === null ? unknown : 'no_new_customers'
  if (cac === null) reason('/cac', whyNoCac)
  if (monthly === null) reason('/monthlyMarginPerCustomer', 'no_orders')
  if (paybackMonths === null)
    reason('/paybackMonths', cac === null ? whyNoCac : monthly === null ? 'no_orders' : 'no_margin')
  const whyNoLtv = ltvMethod === null ? 'no_method_named' : 'unknown_by_method'
  if (lifetime === null) reason('/ltv', whyNoLtv)
  if (ltvToCac === null)
    reason('/ltvToCac', lifetime === null ? whyNoLtv : cac === null ? whyNoCac : 'no_cost')
  if (ltvMethod === null) reason('/ltvMethod', 'no_method_named')
  return {
    cost: shown(cost),
    newCustomers,
    cac: shown(cac),
    monthlyMarginPerCustomer: shown(monthly),
    paybackMonths: paybackMonths && paybackMonths.toNumber(),
    ltv: shown(lifetime),
    ltvToCac: ltvToCac && ltvToCac.toNumber(),
    ltvMethod
  }
}
