import type { CustomerPage } from '../lifetime-value-sql.js'
import { cursorOf } from '../lifetime-value-page.js'
import type { PredictedCustomer } from './shown.js'

const keyOf = ({ value }: PredictedCustomer) => value ?? '-Infinity'

/** A page of customers in their order, the one of most value first. */
export function predictedPage(customers: readonly PredictedCustomer[], { size, after }: CustomerPage) {
  const follows = (c: PredictedCustomer) => {
    const further = Number(keyOf(c)) - Number(after!.key)
    return further < 0 || (further === 0 && c.customerId! < after!.id)
  }
  const rest = after ? customers.filter(follows) : customers
  const shown = rest.slice(0, size)
  const hasMore = rest.length > size
  const last = shown.at(-1)
  const nextCursor = hasMore ? cursorOf({ key: keyOf(last!), customerId: last!.customerId! }) : null
  return { customers: shown, page: { hasMore, nextCursor } }
}
