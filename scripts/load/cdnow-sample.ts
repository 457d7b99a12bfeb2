import type { Counts, Loading, Upsert } from './client.js'
import { readCsv } from './csv.js'

const source = 'cdnow'

type Transaction = Record<'customer_id' | 'date' | 'quantity' | 'amount', string>

const toContact = (customer: string): Upsert => ({
  externalId: customer,
  body: { lastName: `Customer ${customer}` }
})

// Rows have no id of their own; their place in the file stands for one.
const toOrder = ({ date, amount }: Transaction, place: number, contactId: string): Upsert => ({
  externalId: String(place + 1),
  body: { contactId, orderedAt: `${date}T00:00:00Z`, amount: String(Number(amount)), currency: 'USD' }
})

/** Loads the orders of an online music shop into a workspace of its own, in UTC and dollars. */
export async function loadCdnowSample(
  { client, tell }: Loading,
  folder: string
): Promise<Record<string, Counts>> {
  const rows: Transaction[] = await readCsv(folder, 'transactions.csv')
  await client.call('PATCH', '/v1/workspace', { timeZone: 'UTC', baseCurrency: 'USD' })
  const customers = [...new Set(rows.map(r => r.customer_id))]
  tell(`${customers.length} contacts, ${rows.length} orders …`)
  const contacts = await client.upsert('contacts', source, customers.map(toContact))
  const orders = await client.upsert(
    'orders',
    source,
    rows.map((row, place) => toOrder(row, place, contacts.ids.get(row.customer_id)!))
  )
  return { contacts: contacts.counts, orders: orders.counts }
}
