import type { Counts, Loading, Upsert } from './client.js'
import { readCsv } from './csv.js'

const source = 'telephone-campaign'

const numbers = new Set([
  'age',
  'duration',
  'campaign',
  'pdays',
  'previous',
  'emp.var.rate',
  'cons.price.idx',
  'cons.conf.idx',
  'euribor3m',
  'nr.employed'
])

const nameOf = (column: string) => column.replaceAll('.', '_')

// The calls have neither names nor times; their place in the file stands for both.
const toLead = (row: Record<string, string>, place: number): Upsert => ({
  externalId: String(place),
  body: {
    lastName: `Call ${place}`,
    capturedAt: new Date(Date.UTC(2010, 0, 1) + place * 60_000).toISOString(),
    customFields: {
      place,
      fold: place % 5,
      ...Object.fromEntries(
        Object.entries(row).map(([column, text]) => [
          nameOf(column),
          numbers.has(column) ? Number(text) : text
        ])
      )
    }
  }
})

/** Loads the calls of a bank's campaign as leads whose custom fields are the columns of the file. */
export async function loadCalls({ client, tell }: Loading, folder: string): Promise<Record<string, Counts>> {
  const rows = await readCsv<string>(folder, 'bank-additional.csv')
  tell(`${rows.length} leads …`)
  return { leads: (await client.upsert('leads', source, rows.map(toLead))).counts }
}
