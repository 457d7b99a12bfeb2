import type { Counts, Loading, Upsert } from './client.js'
import { readCsv } from './csv.js'

const source = 'cdnow-sample'

type Transaction = Record<'customer_id' | 'date' | 'amount', string>

// Rows have no id of their own, and a customer may buy several times a day; their place in the file stands for one.
const toOrder = (
  { customer_id, date, amount }: Transaction,
  place: number,
  contacts: Map<string, string>
): Upsert => ({
  externalId: String(place + 1),
  body: {
    contactId: contacts.get(customer_id)!,
    orderedAt: `${date}T12:00:00Z`,
    amount,
    currency: 'USD'
  }
})

/** Loads the customers of an online music shop as contacts with their orders, in a workspace kept in dollars. */
export async function loadShop({ client, tell }: Loading, folder: string): Promise<Record<string, Counts>> {
  const rows = await readCsv<keyof Transaction>(folder, 'transactions.csv')
  await client.call('PATCH', '/v1/workspace', { baseCurrency: 'USD' })
  const customers = [...new Set(rows.map(r => r.customer_id))]
  tell(`${customers.length} contacts …`)
  const contacts = await client.upsert(
    'contacts',
    source,
    customers.map(id => ({ externalId: id, body: { lastName: `Customer ${id}` } }))
  )
  tell(`${rows.length} orders …`)
  const orders = await client.upsert(
    'orders',
    source,
    rows.map((row, i) => toOrder(row, i, contacts.ids))
  )
  return { contacts: contacts.counts, orders: orders.counts }
}
