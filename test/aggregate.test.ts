import { readFile } from 'node:fs/promises'
import t, { type Test } from 'tap'
import { testApp } from './helpers/app.js'
import { as, identity } from './helpers/identity.js'

const kith = await testApp(t)
const { call, graphql } = kith
const { newUser, tokenOf } = identity(kith)

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

async function make(resource: string, body: object): Promise<Json> {
  const reply = await call('POST', `/v1/${resource}`, body)
  if (reply.status !== 201) throw new Error(reply.text)
  return reply.body
}

async function aggregate(resource: string, body: object, headers = {}): Promise<Json> {
  const reply = await call('POST', `/v1/${resource}/aggregate`, body, headers)
  if (reply.status !== 200) throw new Error(reply.text)
  return reply.body
}

const grouped = ({ data }: Json) => (data as Json[]).map(b => [...Object.values(b.group as Json), b.count])

async function refused(t: Test, resource: string, body: object, pointer: string, code: string) {
  const reply = await call('POST', `/v1/${resource}/aggregate`, body)
  t.match(reply, { status: 400, body: { errors: [{ in: 'body', pointer, code }] } }, reply.text)
}

const owners = await Promise.all([newUser('rep'), newUser('rep')])
const [metal, retail, hidden] = [
  await make('companies', { name: 'Aster', industry: 'metal', ownerId: owners[0].id }),
  await make('companies', { name: 'Birch', industry: 'retail', ownerId: owners[0].id }),
  await make('companies', { name: 'Cedar', industry: 'retail', ownerId: owners[1].id })
]
const sale = (companyId: unknown, amount: string | null, currency: string, ownerId: string) =>
  make('orders', { companyId, amount, currency, ownerId, orderedAt: '2026-03-01T00:30:00Z' })
await sale(metal.id, '10.0001', 'EUR', owners[0].id)
await sale(metal.id, '0.0002', 'EUR', owners[0].id)
await sale(retail.id, '7', 'USD', owners[0].id)
await sale(hidden.id, '100', 'EUR', owners[0].id)
await sale(hidden.id, null, 'USD', owners[1].id)

t.test('amounts of several currencies are never added up', async t => {
  const sum = { op: 'sum', field: 'amount', name: 'sum' }
  for (const op of ['sum', 'avg', 'min', 'max'])
    await refused(
      t,
      'orders',
      { measures: [{ op, field: 'amount' }] },
      '/measures/0/field',
      'mixed_currencies'
    )
  const either = { or: [{ currency: { eq: 'EUR' } }, { currency: { eq: 'USD' } }] }
  for (const filter of [
    {},
    either,
    { not: { currency: { eq: 'EUR' } } },
    { company: { currency: { eq: 'EUR' } } }
  ])
    await refused(t, 'orders', { filter, measures: [sum] }, '/measures/0/field', 'mixed_currencies')
  const byCurrency = await aggregate('orders', { groupBy: [{ field: 'currency' }], measures: [sum] })
  t.match(byCurrency.data, [
    { group: { currency: 'EUR' }, count: 3, values: { sum: '110.0003' } },
    { group: { currency: 'USD' }, count: 2, values: { sum: '7' } }
  ])
  for (const filter of [{ currency: { eq: 'EUR' } }, { and: [{ and: [{ currency: { eq: 'EUR' } }] }] }]) {
    const { data } = await aggregate('orders', { filter, measures: [sum, { op: 'count', field: 'amount' }] })
    t.match(data, [{ group: {}, count: 3, values: { sum: '110.0003', 'count.amount': 3 } }])
  }
  const counted = await aggregate('orders', { measures: [{ op: 'distinct', field: 'amount' }] })
  t.match(counted.data, [{ count: 5, values: { 'distinct.amount': 4 } }], 'to count them is no sum')
  const related = { op: 'max', field: 'company.annualRevenue' }
  await refused(t, 'orders', { filter: { currency: { eq: 'EUR' } }, measures: [related] }, '/measures/0/field', 'mixed_currencies') // prettier-ignore
  t.ok(await aggregate('orders', { groupBy: [{ field: 'company.currency' }], measures: [related] }))
  await make('deals', { name: 'No currency', stageId: await stage() })
  const unknown = await aggregate('deals', { groupBy: [{ field: 'currency' }], measures: [sum] })
  t.match(
    unknown.data,
    [{ group: { currency: null }, count: 1, values: { sum: null } }],
    'of no known currency'
  )
})

async function stage(): Promise<string> {
  const pipeline = await make('pipelines', { name: 'Sales' })
  return (await make('stages', { pipelineId: pipeline.id, name: 'New', kind: 'open', position: 1 }))
    .id as string
}

t.test('a row scope holds for the records and for those they are related to', async t => {
  const own = as(tokenOf(owners[0]))
  const body = { groupBy: [{ field: 'company.industry', name: 'industry' }] }
  t.same(grouped(await aggregate('orders', body)), [
    ['metal', 2],
    ['retail', 3]
  ])
  const seen = await aggregate('orders', body, own)
  t.same(grouped(seen), [
    ['metal', 2],
    ['retail', 1],
    [null, 1]
  ])
  for (const { filter, count } of seen.data as Json[]) {
    const list = await call('POST', '/v1/orders/search', { filter, count: true }, own)
    t.equal(list.body.page.totalCount, count, 'the filter says the same to the same caller')
  }
  const ids = await aggregate('orders', { groupBy: [{ field: 'companyId' }] }, own)
  t.ok(
    (ids.data as Json[]).some(b => b.group.companyId === hidden.id),
    'the id stays'
  )
})

t.test('a related record in the bin is none', async t => {
  const body = {
    groupBy: [{ field: 'company.name', name: 'name' }],
    measures: [{ op: 'count', field: 'company.name' }]
  }
  const before = await aggregate('orders', body)
  await call('DELETE', `/v1/companies/${retail.id}`)
  const after = await aggregate('orders', body)
  t.same(grouped(before), [['Aster', 2], ['Birch', 1], ['Cedar', 2]]) // prettier-ignore
  t.same(grouped(after), [['Aster', 2], ['Cedar', 2], [null, 1]]) // prettier-ignore
  t.match(after.data[2].values, { 'count.company.name': 0 })
  await call('POST', `/v1/companies/${retail.id}/restore`)
  t.same(await aggregate('orders', body), before)
})

t.test('order, limit, and whether there is more', async t => {
  const groupBy = [{ field: 'companyId', name: 'by' }, { field: 'currency' }]
  const measures = [{ op: 'sum', field: 'amount', name: 'sum' }]
  const sums = (answer: Json) => (answer.data as Json[]).map(b => b.values.sum as string)
  const all = await aggregate('orders', { groupBy, measures, orderBy: ['-sum'] })
  t.same(sums(all), ['100', '10.0003', '7', null], 'nulls last')
  t.same([all.buckets, all.hasMore], [4, false])
  t.same(sums(await aggregate('orders', { groupBy, measures, orderBy: ['sum'] })), [
    '7',
    '10.0003',
    '100',
    null
  ])
  const two = await aggregate('orders', { groupBy, measures, orderBy: ['-count', '-sum'], limit: 2 })
  t.same([sums(two), two.buckets, two.hasMore], [['10.0003', '100'], 4, true])
  const none = await aggregate('orders', { groupBy, filter: { number: { eq: 'none' } } })
  t.same(none, { data: [], buckets: 0, hasMore: false, timeZone: 'UTC' })
  const nothing = await aggregate('orders', { filter: { number: { eq: 'none' } } })
  t.match(nothing, { data: [{ group: {}, count: 0 }], buckets: 1, hasMore: false })
})

t.test('a search counts, and goes with the filter', async t => {
  const { data } = await aggregate('companies', { search: 'ced', groupBy: [{ field: 'industry' }] })
  t.same(grouped({ data }), [['retail', 1]])
  const list = await call('POST', '/v1/companies/search', {
    search: 'ced',
    filter: data[0].filter,
    count: true
  })
  t.equal(list.body.page.totalCount, 1)
  await refused(t, 'companies', { search: '  ' }, '/search', 'required')
  await refused(t, 'costs', { search: 'a' }, '/search', 'unknown_field')
})

t.test('a filter that leaves no room for that of a bucket is refused', async t => {
  const filter = (n: number) => ({ or: Array.from({ length: n }, () => ({ number: { eq: 'a' } })) })
  const groupBy = [{ field: 'orderedAt', grain: 'month' }]
  await refused(t, 'orders', { filter: filter(99), groupBy }, '/filter/and/1/orderedAt/isNull', 'too_many')
  const { data } = await aggregate('orders', { filter: { or: [...filter(97).or, {}] }, groupBy })
  const list = await call('POST', '/v1/orders/search', { filter: data[0].filter, count: true })
  t.equal(list.body.page.totalCount, data[0].count)
})

t.test('times are cut in the time zone of the workspace unless another is given', async t => {
  const groupBy = [{ field: 'orderedAt', grain: 'month', name: 'month' }]
  t.same(grouped(await aggregate('orders', { groupBy })), [['2026-03-01', 5]])
  await call('PATCH', '/v1/workspace', { timeZone: 'America/New_York' })
  const local = await aggregate('orders', { groupBy })
  t.same(grouped(local), [['2026-02-01', 5]])
  t.equal(local.timeZone, 'America/New_York')
  t.same(local.data[0].filter, {
    and: [{ orderedAt: { gte: '2026-02-01T05:00:00.000Z', lt: '2026-03-01T05:00:00.000Z' } }]
  })
  t.same(grouped(await aggregate('orders', { groupBy, timeZone: 'Asia/Dhaka' })), [['2026-03-01', 5]])
  await call('PATCH', '/v1/workspace', { timeZone: 'UTC' })
})

t.test('filters by a part of a time', async t => {
  const count = async (part: object) =>
    (await call('POST', '/v1/orders/search', { filter: { orderedAt: { part } }, count: true })).body.page?.totalCount // prettier-ignore
  t.equal(await count({ of: 'day_of_week', eq: 7, timeZone: 'UTC' }), 5)
  t.equal(await count({ of: 'day_of_week', eq: 6, timeZone: 'America/New_York' }), 5)
  t.equal(await count({ of: 'hour_of_day', eq: 0, timeZone: 'UTC' }), 5)
  t.equal(await count({ of: 'month_of_year', eq: 2, timeZone: 'UTC' }), 0)
  const wrong: [string, object, string, string][] = [
    ['orderedAt', { of: 'day_of_week', eq: 1 }, '/timeZone', 'required'],
    ['orderedAt', { of: 'day_of_week', eq: 0, timeZone: 'UTC' }, '/eq', 'range'],
    ['orderedAt', { of: 'century', eq: 1, timeZone: 'UTC' }, '/of', 'enum'],
    ['orderedAt', { of: 'day_of_week', eq: 1, timeZone: 'Nowhere' }, '/timeZone', 'format'],
    ['orderedAt', 1 as unknown as object, '', 'type']
  ]
  for (const [field, part, at, code] of wrong) {
    const reply = await call('POST', '/v1/orders/search', { filter: { [field]: { part } } })
    t.match(reply, { status: 400, body: { errors: [{ pointer: `/filter/${field}/part${at}`, code }] } })
  }
  const cost = await call('POST', '/v1/costs/search', {
    filter: { date: { part: { of: 'hour_of_day', eq: 1 } } }
  })
  t.match(cost, { status: 400, body: { errors: [{ pointer: '/filter/date/part/of', code: 'not_allowed' }] } })
  const list = await call('GET', '/v1/orders?orderedAt[part]=1')
  t.equal(list.status, 400, 'it is for JSON')
})

t.test('the cases of the definitions', async t => {
  const file = await readFile(new URL('data/edge-cases.json', import.meta.url), 'utf8')
  const { cases } = JSON.parse(file) as { cases: Json[] }
  const [e08, e12] = ['E08', 'E12'].map(id => cases.find(c => c.id === id)!) as [Json, Json]
  const workspace = as(await kith.newKey(['admin'], await kith.newWorkspace('edge cases')))
  for (const { created_at } of e08.given.deals as Json[])
    await call('POST', '/v1/leads', { lastName: 'E08', capturedAt: created_at as string }, workspace)
  const months = await aggregate(
    'leads',
    { groupBy: [{ field: 'capturedAt', grain: 'month' }], timeZone: e08.given.time_zone as string },
    workspace
  )
  const byMonth = grouped(months).map(([month, count]) => [String(month).slice(0, 7), count as number])
  t.same(Object.fromEntries(byMonth), e08.expect.created_by_month, e08.title as string)
  for (const value of e12.given.values as number[]) {
    const body = {
      name: 'E12',
      annualRevenue: String(value),
      currency: 'EUR',
      employeeCount: value,
      customFields: { value }
    }
    await call('POST', '/v1/companies', body, workspace)
  }
  const { p25, median, p75, p90, mean } = e12.expect as Record<string, number>
  for (const field of ['annualRevenue', 'employeeCount', 'customFields.value']) {
    const percentiles = [0.25, 0.5, 0.75, 0.9].map(p => ({ op: 'percentile', field, p, name: `p${p * 100}` }))
    const { data } = await aggregate(
      'companies',
      { filter: { currency: { eq: 'EUR' } }, measures: [...percentiles, { op: 'avg', field, name: 'mean' }] },
      workspace
    )
    const found = Object.values(data[0].values as Json).map(v => Number(Number(v).toFixed(9)))
    t.same(found, [p25, median, p75, p90, mean], `${e12.title as string}: ${field}`)
  }
})

t.test('GraphQL names its mistakes, and counts what it costs', async t => {
  const ask = (args: string) => graphql(`{ ordersAggregate(${args}) { data { count } } }`)
  const item = async (args: string) =>
    ((await ask(args)).body.errors as Json[])[0]!.extensions.errors?.[0] as Json
  t.match(await item('groupBy: [{}]'), { pointer: '/groupBy/0', code: 'one_of' })
  t.match(await item('groupBy: [{ field: ID, company: { field: NAME } }]'), { pointer: '/groupBy/0' })
  t.match(await item('groupBy: [{ field: CUSTOM_FIELDS }]'), {
    pointer: '/groupBy/0/field',
    code: 'unknown_field'
  })
  t.match(await item('groupBy: [{ field: NONSENSE }]'), { pointer: '/groupBy/0/field' })
  t.match(await item('measures: [{ op: SUM, field: AMOUNT }]'), {
    pointer: '/measures/0/field',
    code: 'mixed_currencies'
  })
  t.match(await item('limit: 1001'), { pointer: '/limit', code: 'maximum' })
  const { body } = await ask(
    'groupBy: [{ company: { field: CUSTOM_FIELDS, key: "tier" } }], filter: null, limit: 2'
  )
  t.match(body, { data: { ordersAggregate: { data: [{ count: 5 }] } }, extensions: { cost: 1002 } })
  const many = Array.from({ length: 51 }, (_, i) => `a${i}: ordersAggregate { buckets }`).join(' ')
  t.match((await graphql(`{ ${many} }`)).body.errors, [{ extensions: { code: 'too_complex' } }])
  const since = `measures: [{ op: MAX, field: CREATED_AT, since: { company: { field: CREATED_AT } }, name: "days" }]`
  const days = await graphql(`{ ordersAggregate(${since}) { data { values } } }`)
  t.ok(days.body.data.ordersAggregate.data[0].values.days >= 0)
})

t.test('nothing of another workspace', async t => {
  const stranger = as(await kith.newKey(['admin'], await kith.newWorkspace('strangers')))
  t.match((await aggregate('orders', {}, stranger)).data, [{ count: 0 }])
  t.same((await aggregate('orders', { groupBy: [{ field: 'company.name' }] }, stranger)).data, [])
})
