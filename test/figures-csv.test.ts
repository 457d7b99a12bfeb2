import { parse } from 'csv-parse/sync'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { done, makeDeal, makePipeline, type Visit } from './helpers/funnel.js'
import { workspaceOf } from './helpers/workspace.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

const app = await testApp(t)
const { request, make, authorization } = await workspaceOf(app, 'CSV')
const day = (n: number) => `2025-01-${String(n).padStart(2, '0')}T12:00:00Z`

async function both(name: string, parameters: object) {
  const path = `/v1/metrics/${name}`
  const asked = { asOf: day(31), ...parameters }
  const answer = await done(request('POST', path, asked))
  const { text } = await app.call('POST', path, asked, { authorization, accept: 'text/csv' })
  return { answer, rows: parse<Record<string, string>>(text, { columns: true }) }
}

/** The members of a record that are no lists, as cells. */
const cells = (record: Json, prefix: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(record).flatMap(([name, member]) => {
      if (Array.isArray(member)) return []
      if (typeof member === 'object' && member)
        return Object.entries(cells(member as Json, `${prefix}${name}.`))
      return [[prefix + name, member === null ? '' : String(member)]]
    })
  )

const filled = (row: Record<string, string>, list: string) =>
  Object.fromEntries(Object.entries(row).filter(([name]) => name.startsWith(`${list}.`)))

async function sameRecords(name: string, list: string, parameters: object, wanted: number): Promise<Json> {
  await t.test(`${name}: ${list}`, async t => {
    const { answer, rows } = await both(name, parameters)
    const records = answer[list] as Json[]
    t.equal(records.length, wanted)
    const found = rows.filter(r => r.part === 'record' && r.list === list)
    t.equal(found.length, records.length)
    for (const [i, record] of records.entries()) {
      t.equal(found[i]!.item, String(i))
      t.match(filled(found[i]!, list), cells(record, `${list}.`))
      const more = Object.keys(filled(found[i]!, list)).filter(n => !(n in cells(record, `${list}.`)))
      t.same(
        more.filter(n => found[i]![n] !== ''),
        [],
        'nothing that the answer has not'
      )
    }
    const page = rows.find(r => r.part === 'page')!
    t.same(
      [page['page.hasMore'], page['page.nextCursor']],
      [String(answer.page.hasMore), answer.page.nextCursor ?? '']
    )
  })
  return both(name, parameters)
}

const pipeline = await makePipeline(request, ['a', 'won:won'])
const past: Visit[] = [['a', day(1)], ['won', day(2)]] // prettier-ignore
for (let n = 0; n < 3; n++)
  await makeDeal(request, pipeline, n ? past.slice(0, 1) : past, { openedAt: day(1) })
for (const amount of ['30.5', '20']) {
  const companyId = await make('companies', { name: amount })
  await make('orders', { companyId, orderedAt: day(3), amount, currency: 'EUR' })
}
await make('scoring-rules', { field: 'industry', condition: { eq: 'Retail' }, points: 20, group: 'fit' })
const lead = { lastName: 'Lead', industry: 'Retail', capturedAt: day(1) }
const leadId = await make('leads', lead)
await make('leads', { ...lead, industry: 'Mining' })

await sameRecords('stalled-deals', 'deals', {}, 2)
await sameRecords('stalled-deals', 'deals', { limit: 1 }, 1)
await sameRecords('lifetime-value', 'customers', { customers: true }, 2)
await sameRecords('lifetime-value', 'customers', { customers: true, limit: 1 }, 1)
const { rows } = await sameRecords('lead-score', 'scores', { method: 'rules', scores: true }, 2)

t.test('the shares of a score tell whose they are', async t => {
  const shares = (rows as Record<string, string>[]).filter(r => r.list === 'scores.shares')
  t.match(shares, [{ part: 'record', 'scores.leadId': leadId, 'scores.shares.value': '20' }])
  t.equal(shares.length, 1)
})

t.test('nothing is listed that was not asked for', async t => {
  const { rows } = await both('lifetime-value', {})
  t.same([...new Set(rows.map(r => r.part))], ['total'])
})

t.test('customers that were given are listed too', async t => {
  const customers = [{ x: 2, tx: 5, T: 20, z: '10' }, { x: 0, tx: 0, T: 20 }] // prettier-ignore
  const data = {
    bgNbd: { r: 0.25, alpha: 4, a: 0.8, b: 2.5 },
    gammaGamma: { p: 6, q: 4, gamma: 16 },
    customers
  }
  const { answer, rows } = await both('lifetime-value', { method: 'bg_nbd', data })
  const found = rows
    .filter(r => r.part === 'record')
    .map(r => [r.list, r['customers.x'], r['customers.value']])
  t.same(found, (answer.customers as Json[]).map(c => ['customers', String(c.x), c.value as string])) // prettier-ignore
  t.equal(found.length, 2)
})
