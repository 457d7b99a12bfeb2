import type { CustomerPage, CustomerValue } from '../lifetime-value-sql.js'
import { predictionOf, type Prediction } from '../models/customer-prediction.js'
import type { Outlook, ValueSettings } from '../models/customer-value.js'
import type { CustomerRow } from './customers-sql.js'
import { asCustomer, decimalOrNull, shownOutlook } from './shown.js'

/** Customers, and sets of their places that models are fitted to: JSON texts, as the database made them. */
export interface CustomerTask {
  customers: string
  sets: readonly string[]
  /** The days of the models' unit of time. */
  perUnit: number
  settings: ValueSettings
  /** Which customers are shown. Absent: none. */
  page: CustomerPage | undefined
}

/** A customer of the page, as the models see it. */
export interface PredictedCustomer extends CustomerValue {
  [member: string]: unknown
}

/** The page of customers and one more where there is one, the one of most value first; none without a model. */
function pageOf(
  rows: readonly CustomerRow[],
  outlooks: readonly Outlook[],
  { perUnit }: CustomerTask,
  { size, after }: CustomerPage
): PredictedCustomer[] {
  const last = after && { value: Number(after.key), id: after.id }
  const sorted = outlooks
    .map((outlook, place) => {
      const key = decimalOrNull(outlook.value) ?? '-Infinity'
      return { place, key, value: Number(key), id: rows[place]!.customerId }
    })
    .filter(c => !last || c.value < last.value || (c.value === last.value && c.id < last.id))
    .sort((a, b) => b.value - a.value || (a.id < b.id ? 1 : -1))
  return sorted.slice(0, size + 1).map(({ place, key }) => {
    const { tx, T, z, ...row } = rows[place]!
    const times = { tx: tx / perUnit, T: T / perUnit, z: decimalOrNull(z) }
    return { ...row, ...times, ...shownOutlook(outlooks[place]!), key }
  })
}

/** The models of each set, what each of the customers is expected to bring left out, and the page by those of the first. */
export function customerModels(task: CustomerTask): {
  predictions: Omit<Prediction, 'outlooks'>[]
  shown: PredictedCustomer[]
} {
  const rows = JSON.parse(task.customers) as CustomerRow[]
  const customers = rows.map(row => asCustomer(row, task.perUnit))
  let shown: PredictedCustomer[] = []
  const predictions = task.sets.map((set, i) => {
    const places = JSON.parse(set) as number[]
    const { outlooks, ...prediction } = predictionOf(
      places.map(place => customers[place]!),
      task.settings
    )
    if (i === 0 && task.page) shown = pageOf(rows, outlooks, task, task.page)
    return prediction
  })
  return { predictions, shown }
}
