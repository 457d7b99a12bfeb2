import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import type { Client, Upsert } from '../../scripts/load/client.js'
import { readCsv } from '../../scripts/load/csv.js'
import type { Send } from './http.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely

/** A bucket of an aggregate. */
export interface Bucket {
  group: Record<string, string>
  count: number
  values: Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- figures are read freely
  filter: object
}

const near = 1e-6

function closeTo(t: Test, found: unknown, wanted: number, name: string): void {
  t.ok(Math.abs(Number(found) - wanted) <= near, `${name}: ${String(found)} is ${wanted}`)
}

/** All buckets of an aggregate; throws where there are more than a thousand. */
export async function buckets(send: Send, resource: string, body: object): Promise<Bucket[]> {
  const answer = await send('POST', `/v1/${resource}/aggregate`, { limit: 1000, ...body })
  if (answer.status !== 200 || answer.body.hasMore) throw new Error(answer.text)
  return answer.body.data as Bucket[]
}

const dollars = { currency: { eq: 'USD' } }
const days = { field: 'closedAt', since: 'openedAt' }
const byStatus = { field: 'status' }

/** What the expected figures tell of a status: counts, the value won, and the days that it took. */
const statusMeasures = [
  { op: 'sum', field: 'amount', name: 'value' },
  { op: 'avg', field: 'amount', name: 'meanValue' },
  { op: 'percentile', p: 0.5, field: 'amount', name: 'medianValue' },
  { op: 'count', ...days, name: 'n' },
  { op: 'avg', ...days, name: 'mean' },
  { op: 'min', ...days, name: 'min' },
  { op: 'max', ...days, name: 'max' },
  ...[0.25, 0.5, 0.75, 0.9].map(p => ({ op: 'percentile', p, ...days, name: `p${p * 100}` }))
]

async function cut(t: Test, send: Send, dimension: object, expected: Json): Promise<void> {
  const found = await buckets(send, 'deals', {
    filter: dollars,
    groupBy: [{ ...dimension, name: 'by' }, byStatus],
    measures: statusMeasures
  })
  const wanted = Object.entries<Json>(expected)
  t.ok(wanted.length > 2)
  for (const [name, figures] of wanted) {
    const of = (status: string) => found.find(b => b.group.by === name && b.group.status === status)
    const counts = { won: of('won')!.count, lost: of('lost')!.count, open: of('open')?.count ?? 0 }
    t.same(counts, { won: figures.won, lost: figures.lost, open: figures.open }, name)
    t.equal(counts.won + counts.lost + counts.open, figures.deals)
    closeTo(t, counts.won / (counts.won + counts.lost), figures.win_rate, 'win rate')
    const { value, meanValue, mean, p50 } = of('won')!.values
    closeTo(t, value, figures.won_value, 'won value')
    closeTo(t, meanValue, figures.avg_won_value, 'mean won value')
    closeTo(t, mean, figures.mean_days_won, 'mean days')
    closeTo(t, p50, figures.median_days_won, 'median days')
  }
}

const quarter = (start: string | null) =>
  start === null ? start : `${start.slice(0, 4)}-Q${(Number(start.slice(5, 7)) + 2) / 3}`

/** What the figures of the hardware seller hold and aggregates answer. */
export async function derivedOpportunities(t: Test, send: Send, expected: Json): Promise<void> {
  await t.test('the whole', async t => {
    const found = await buckets(send, 'deals', {
      filter: dollars,
      groupBy: [byStatus],
      measures: [
        ...statusMeasures,
        { op: 'min', field: 'openedAt', name: 'firstOpened' },
        { op: 'max', field: 'openedAt', name: 'lastOpened' },
        { op: 'min', field: 'closedAt', name: 'firstClosed' },
        { op: 'max', field: 'closedAt', name: 'lastClosed' }
      ]
    })
    const [won, lost] = ['won', 'lost'].map(s => found.find(b => b.group.status === s)!) as [Bucket, Bucket]
    t.equal(
      found.reduce((sum, b) => sum + b.count, 0),
      expected.rows
    )
    t.equal(won.values.value, String(expected.won_value))
    t.equal(won.values.medianValue, String(expected.median_won_value))
    closeTo(t, won.values.meanValue, expected.avg_won_value, 'mean won value')
    closeTo(t, won.count / (won.count + lost.count), expected.win_rate, 'win rate')
    t.equal(lost.values.value, String(expected.lost_value_sum))
    const [closed] = await buckets(send, 'deals', {
      filter: { status: { in: ['won', 'lost'] }, ...dollars },
      measures: statusMeasures
    })
    for (const [name, { values }] of Object.entries({ won, lost, closed: closed! })) {
      const { median, ...others } = expected.days_to_close[name] as Record<string, number>
      for (const [key, wanted] of Object.entries({ ...others, p50: median! }))
        closeTo(t, values[key], wanted, `${name} ${key}`)
    }
    const day = (pick: (b: Bucket) => string, last: boolean) => {
      const all = found.map(pick).filter(Boolean).sort()
      return (last ? all.at(-1)! : all[0]!).slice(0, 10)
    }
    t.equal(
      day(b => b.values.firstOpened as string, false),
      expected.first_engage
    )
    t.equal(
      day(b => b.values.lastOpened as string, true),
      expected.last_engage
    )
    t.equal(
      day(b => b.values.firstClosed as string, false),
      expected.first_close
    )
    t.equal(
      day(b => b.values.lastClosed as string, true),
      expected.last_close
    )
    const [zero] = await buckets(send, 'deals', { filter: { status: { eq: 'won' }, amount: { eq: '0' } } })
    t.equal(zero!.count, expected.won_zero_value)
  })

  await t.test('stages, and deals without an account', async t => {
    const byStage = await buckets(send, 'deals', { groupBy: [{ field: 'stage.name', name: 'stage' }] })
    t.same(Object.fromEntries(byStage.map(b => [b.group.stage, b.count])), expected.by_stage)
    const missing = await buckets(send, 'deals', {
      filter: { companyId: { isNull: true } },
      groupBy: [{ field: 'stage.name', name: 'stage' }]
    })
    t.same(Object.fromEntries(missing.map(b => [b.group.stage, b.count])), expected.missing_account_by_stage)
    t.equal(
      missing.reduce((sum, b) => sum + b.count, 0),
      expected.missing_account
    )
    const sectors = await buckets(send, 'deals', { groupBy: [{ field: 'company.industry' }] })
    t.equal(sectors.at(-1)!.group['company.industry'], null)
    t.equal(sectors.at(-1)!.count, expected.missing_account)
  })

  await t.test('regions and products', async t => {
    await cut(t, send, { field: 'owner.region' }, expected.by_region)
    await cut(t, send, { field: 'product.name' }, expected.by_product)
    await cut(t, send, { field: 'customFields.product' }, expected.by_product)
  })

  await t.test('quarters of closing', async t => {
    const found = await buckets(send, 'deals', {
      filter: dollars,
      groupBy: [{ field: 'closedAt', grain: 'quarter', name: 'quarter' }, byStatus],
      measures: statusMeasures
    })
    for (const [name, figures] of Object.entries<Json>(expected.by_close_quarter)) {
      const of = found.filter(b => quarter(b.group.quarter ?? null) === name)
      const won = of.find(b => b.group.status === 'won')!
      t.equal(
        of.reduce((sum, b) => sum + b.count, 0),
        figures.deals
      )
      t.equal(won.count, figures.won, name)
      t.equal(won.values.value, String(figures.won_value))
      closeTo(t, won.values.mean, figures.mean_days_won, 'mean days')
      closeTo(t, won.values.p50, figures.median_days_won, 'median days')
    }
  })

  await t.test('price realisation', async t => {
    const found = await buckets(send, 'deals', {
      filter: { status: { eq: 'won' }, ...dollars, product: dollars },
      groupBy: [{ field: 'product.name', name: 'product' }],
      measures: [
        { op: 'avg', field: 'amount', name: 'close' },
        { op: 'max', field: 'product.listPrice', name: 'list' }
      ]
    })
    const wanted = Object.entries<Json>(expected.price_realisation_by_product)
    t.equal(found.length, wanted.length)
    for (const [product, { won, mean_close, list, ratio }] of wanted) {
      const bucket = found.find(b => b.group.product === product)!
      t.equal(bucket.count, won)
      closeTo(t, bucket.values.close, mean_close as number, `${product} mean close`)
      t.equal(bucket.values.list, String(list))
      closeTo(t, bucket.values.close / bucket.values.list, ratio as number, `${product} ratio`)
    }
  })

  await t.test('agents: those without a deal, and the first ten', async t => {
    const found = await buckets(send, 'deals', { groupBy: [{ field: 'owner.name', name: 'agent' }] })
    const { data: users } = (await send('GET', '/v1/users?limit=200&sort=name')).body as { data: Json[] }
    const idle = users.map(u => u.name as string).filter(name => !found.some(b => b.group.agent === name))
    t.same(
      idle.filter(name => name !== 'test'),
      expected.agents_without_deals
    )
    const top = await send('POST', '/v1/deals/aggregate', {
      filter: { status: { eq: 'won' }, ...dollars },
      groupBy: [{ field: 'ownerId' }, { field: 'owner.name', name: 'agent' }],
      measures: [{ op: 'sum', field: 'amount', name: 'won' }],
      orderBy: ['-won'],
      limit: 10
    })
    const sums = (top.body.data as Bucket[]).map(b => Number(b.values.won))
    t.same([top.body.hasMore, top.body.buckets, sums.length], [true, found.length, 10])
    t.same(
      sums,
      [...sums].sort((a, b) => b - a)
    )
    const { filter, count } = (top.body.data as Bucket[])[0]!
    const list = await send('POST', '/v1/deals/search', { filter, limit: 1, count: true })
    t.equal(list.body.page.totalCount, count, 'the deals behind the first are as many')
  })
}

const answers = ['poutcome', 'contact', 'month', 'y'] as const

/** What the figures of the telephone campaign hold and aggregates answer: the tables behind a test of independence. */
export async function derivedCampaign(t: Test, client: Client, send: Send, data: string): Promise<void> {
  const expected = JSON.parse(await readFile(join(data, 'expected/telephone-campaign.json'), 'utf8')) as Json
  const rows = await readCsv<(typeof answers)[number] | 'age'>(
    join(data, 'telephone-campaign'),
    'bank-additional.csv'
  )
  const leads = rows.map((row, i): Upsert => ({
    externalId: String(i),
    body: {
      lastName: `Lead ${i}`,
      customFields: { ...Object.fromEntries(answers.map(name => [name, row[name]])), age: Number(row.age) }
    }
  }))
  await client.upsert('leads', 'telephone-campaign', leads)
  const [all] = await buckets(send, 'leads', {
    measures: [{ op: 'avg', field: 'customFields.age', name: 'age' }]
  })
  t.equal(all!.count, expected.rows)
  closeTo(t, all!.values.age, rows.reduce((sum, r) => sum + Number(r.age), 0) / rows.length, 'mean age')
  for (const name of ['poutcome', 'contact', 'month']) {
    const table = await buckets(send, 'leads', {
      groupBy: [
        { field: `customFields.${name}`, name: 'by' },
        { field: 'customFields.y', name: 'y' }
      ]
    })
    const wanted = Object.entries<number>(expected[`conversion_by_${name}`])
    t.ok(wanted.length > 1)
    for (const [value, rate] of wanted) {
      const of = (y: string) => table.find(b => b.group.by === value && b.group.y === y)?.count ?? 0
      closeTo(t, of('yes') / (of('yes') + of('no')), rate, `${name} ${value}`)
    }
    const positives = table.filter(b => b.group.y === 'yes').reduce((sum, b) => sum + b.count, 0)
    t.equal(positives, expected.positives)
  }
}

/** What the figures of the loan offers hold and aggregates answer: months of creation in two zones. */
export async function derivedOffers(t: Test, send: Send, expected: Json): Promise<void> {
  const [won] = await buckets(send, 'deals', {
    filter: { status: { eq: 'won' }, currency: { eq: 'EUR' } },
    measures: [
      { op: 'sum', field: 'amount', name: 'sum' },
      { op: 'avg', field: 'amount', name: 'mean' }
    ]
  })
  t.equal(won!.count, expected.outcome.won)
  t.equal(won!.values.sum, String(expected.won_value))
  closeTo(t, won!.values.mean, expected.avg_won_value as number, 'mean won value')
  for (const [timeZone, months] of Object.entries<Json>(expected.cohort_by_created_month)) {
    const found = await buckets(send, 'deals', {
      groupBy: [{ field: 'openedAt', grain: 'month', name: 'month' }, byStatus],
      timeZone
    })
    for (const [month, { created, won, lost, open }] of Object.entries<Json>(months)) {
      const of = found.filter(b => b.group.month === `${month}-01`)
      const counts = Object.fromEntries(of.map(b => [b.group.status, b.count]))
      t.match({ won: 0, lost: 0, open: 0, ...counts }, { won, lost, open }, `${month} in ${timeZone}`)
      t.equal(
        of.reduce((sum, b) => sum + b.count, 0),
        created
      )
    }
  }
}
