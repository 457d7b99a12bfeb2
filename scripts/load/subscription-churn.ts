import type { Counts, Loading, Upsert } from './client.js'
import { readCsv } from './csv.js'

const source = 'subscription-churn'

/** The day that the data is taken to be of: it tells tenures in months, but no dates. */
export const churnDay = '2020-01-01'

type Subscriber = Record<
  'customerID' | 'tenure' | 'InternetService' | 'Contract' | 'MonthlyCharges' | 'Churn',
  string
>

function monthsBefore(day: string, months: number): string {
  const date = new Date(`${day}T00:00:00Z`)
  date.setUTCMonth(date.getUTCMonth() - months)
  return date.toISOString().slice(0, 10)
}

const toContact = ({ customerID }: Subscriber): Upsert => ({
  externalId: customerID,
  body: { lastName: `Subscriber ${customerID}` }
})

const toSubscription = (row: Subscriber, contactId: string): Upsert => ({
  externalId: row.customerID,
  body: {
    contactId,
    plan: row.InternetService === 'No' ? 'Phone' : row.InternetService,
    term: row.Contract,
    startDate: monthsBefore(churnDay, Number(row.tenure)),
    endDate: row.Churn === 'Yes' ? churnDay : null,
    recurringAmount: String(Number(row.MonthlyCharges)),
    currency: 'USD',
    interval: 'month'
  }
})

/** Loads subscribers with their tenure into a workspace of its own, in UTC and dollars. */
export async function loadSubscriptionChurn(
  { client, tell }: Loading,
  folder: string
): Promise<Record<string, Counts>> {
  const rows: Subscriber[] = await readCsv(folder, 'customers.csv')
  await client.call('PATCH', '/v1/workspace', { timeZone: 'UTC', baseCurrency: 'USD' })
  tell(`${rows.length} contacts with a subscription …`)
  const contacts = await client.upsert('contacts', source, rows.map(toContact))
  const subscriptions = await client.upsert(
    'subscriptions',
    source,
    rows.map(row => toSubscription(row, contacts.ids.get(row.customerID)!))
  )
  return { contacts: contacts.counts, subscriptions: subscriptions.counts }
}
