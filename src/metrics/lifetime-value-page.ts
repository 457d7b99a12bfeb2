import { isCursorId } from '../kernel/page.js'
import {
  Computed,
  Closed,
  Enum,
  Id,
  Instant,
  Nullable,
  Text,
  Type,
  Bool,
  type Static
} from '../kernel/schema.js'
import { described, refused, type Place } from './parameters.js'
import type { CustomerValue } from './lifetime-value-sql.js'
import { predictedCustomer } from './predicted/schema.js'
import { Count } from './rate.js'

const Customer = Closed(
  {
    customerId: described(Nullable(Id()), 'The company or contact; null where only numbers were given.'),
    customerType: described(
      Nullable(Enum('CustomerType', ['company', 'contact'])),
      'Which of the two it is.'
    ),
    orders: Count('Orders of this customer.'),
    orderDays: Count('Local days with an order.'),
    firstOrderAt: described(Nullable(Instant()), 'The first order.'),
    lastOrderAt: described(Nullable(Instant()), 'The last order.'),
    value: Nullable(
      Computed('What the orders brought, or are expected to; null where nothing of them is known.')
    ),
    ...predictedCustomer
  },
  { 'x-type': 'CustomerValue', description: 'What a customer brought.' }
)

/** Where a page of what is behind a figure stands. */
export const MetricPage = () =>
  Closed(
    {
      hasMore: described(Bool(), 'Whether there are more after these.'),
      nextCursor: described(Nullable(Text(1000)), 'What `after` takes for the next page.')
    },
    { 'x-type': 'MetricPage', description: 'Where a page of a figure stands.' }
  )

/** The members of an answer that has a page of customers. */
export const customersAnswer = {
  customers: Type.Optional(
    Type.Array(Customer, { description: 'With `customers`: the one of most value first.' })
  ),
  page: Type.Optional(MetricPage())
}

/** The cursor of what follows a customer. */
export const cursorOf = ({ key, customerId }: { key: string; customerId: string }) =>
  Buffer.from(JSON.stringify([key, customerId])).toString('base64url')

/** The place after which a page begins; a 400 for what is no cursor of ours. */
export function placeOf(place: Place, cursor: string): { key: string; id: string } {
  try {
    const [key, id] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as [string, string]
    if (/^-?(\d{1,40}(\.\d{1,60})?|Infinity)$/.test(key) && isCursorId(id)) return { key, id }
  } catch {
    // Neither is a text that is no JSON.
  }
  throw refused(place, 'after', 'This is not a cursor of ours.', 'invalid_cursor')
}

/** The rows as a page of that size: one row more was asked for, to know whether there are more. */
export function pageOf(
  rows: readonly CustomerValue[],
  size: number
): {
  customers: Static<typeof Customer>[]
  page: { hasMore: boolean; nextCursor: string | null }
} {
  const shown = rows.slice(0, size)
  const hasMore = rows.length > size
  return {
    customers: shown.map(({ key: _key, rank: _rank, ...customer }) => customer),
    page: { hasMore, nextCursor: hasMore ? cursorOf(shown.at(-1)!) : null }
  }
}
