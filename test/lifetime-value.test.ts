import t, { type Test } from 'tap'
import { testApp } from './helpers/app.js'
import { edgeCase, type Json } from './helpers/expected.js'
import { done } from './helpers/funnel.js'
import { newWorld, type World } from './helpers/lifetime-value.js'

const nothing = {
  customers: 0,
  customersWithValue: 0,
  orders: 0,
  orderDays: 0,
  total: '0',
  mean: null,
  totalPerCustomer: null,
  averageOrderValue: null,
  ordersPerCustomer: null
}

t.test('lifetime value', async t => {
  const app = await testApp(t, { RATE_LIMIT: '0' })

  t.test('an empty workspace has none', async t => {
    const { value, rate } = await newWorld(app)
    await rate('2025-01-01', 'USD', '0.9')
    const answer = await value({ interval: 'month', customers: true })
    t.match(answer, { metric: 'lifetime-value', currency: 'EUR', buckets: [], customers: [], warnings: [] })
    t.same(answer.value, nothing)
    t.same(answer.reasons, {
      '/value/mean': 'nothing_valued',
      '/value/totalPerCustomer': 'no_customers',
      '/value/averageOrderValue': 'nothing_valued',
      '/value/ordersPerCustomer': 'no_customers'
    })
    t.same((await value({ from: '2025-01-01', to: '2025-03-01', interval: 'month' })).buckets, [
      { from: '2025-01-01', to: '2025-02-01', label: '2025-01', complete: true, value: nothing },
      { from: '2025-02-01', to: '2025-03-01', label: '2025-02', complete: true, value: nothing }
    ])
  })

  t.test(edgeCase('E20').title, async t => {
    const { given, expect } = edgeCase('E20')
    const world = await newWorld(app, { timeZone: given.time_zone as string })
    for (const { c, at } of given.orders as Json[]) await world.order(c, `${at}T00:00:00Z`, '1')
    const { buckets } = await world.value({ asOf: given.as_of, interval: 'month' })
    const cohorts = Object.entries<Json>(expect.cohorts).map(([label, { size }]) => [
      label,
      size as number,
      true
    ])
    t.same(
      (buckets as Json[]).map(b => [b.label, b.value.customers, b.complete] as unknown),
      [...cohorts, ['2025-03', 0, false]]
    )
  })

  t.test('margin, direct costs, and customers by company before contact', async t => {
    const world = await newWorld(app)
    await world.order('a', '2025-01-01T00:00:00Z', '100', { directCost: '30.5' })
    await world.order('a', '2025-01-02T00:00:00Z', null, { directCost: '10' })
    await world.order('contact b', '2025-01-01T00:00:00Z', '50')
    await world.order('a', '2025-01-03T00:00:00Z', '1', { ...(await world.customer('contact b')) })
    const { value, customers } = await world.value({ margin: 0.5, customers: true })
    t.match(value, { customers: 2, total: '45', mean: '22.5', averageOrderValue: '50.3333333333' })
    t.match(customers, [
      { ...(await idOf(world, 'contact b')), customerType: 'contact', orders: 1, value: '25' },
      { ...(await idOf(world, 'a')), customerType: 'company', orders: 3, orderDays: 3, value: '20' }
    ])
    t.same([customers[1].firstOrderAt, customers[1].lastOrderAt], ['2025-01-01T00:00:00.000Z', '2025-01-03T00:00:00.000Z']) // prettier-ignore
    t.match((await world.value({ margin: 0 })).value, { total: '-30.5' })
  })

  t.test('a period picks customers by their first order, a filter picks orders', async t => {
    const world = await newWorld(app)
    await world.order('a', '2025-01-10T00:00:00Z', '1')
    await world.order('a', '2025-03-10T00:00:00Z', '2')
    await world.order('b', '2025-03-31T23:59:59Z', '4')
    await world.order('c', '2025-04-01T00:00:00Z', '8')
    const march = await world.value({ from: '2025-03-01', to: '2025-04-01' })
    t.match(march, { value: { customers: 1, total: '4' }, counts: { orders: 1 } })
    t.match((await world.value({ to: '2025-04-01', interval: 'quarter' })).buckets, [
      { label: '2025-Q1', from: '2025-01-01', to: '2025-04-01', value: { customers: 2, total: '7' } }
    ])
    const later = await world.value({
      filter: { orderedAt: { gte: '2025-03-01' } },
      from: '2025-03-01',
      to: '2025-04-01'
    })
    t.match(later.value, { customers: 2, total: '6' })
    const one = await world.value({ filter: { company: { name: { eq: 'a' } } } })
    t.match(one.value, { customers: 1, total: '3' })
  })

  t.test('buckets of every kind', async t => {
    const world = await newWorld(app, { fiscalYearStart: '04-01' })
    await world.order('a', '2024-12-31T12:00:00Z', '1')
    await world.order('b', '2025-03-31T12:00:00Z', '2')
    await world.order('c', '2025-04-01T12:00:00Z', '4')
    const asOf = '2025-04-06T00:00:00Z'
    const labels = async (interval: string) => {
      const { buckets, value } = await world.value({ interval, asOf })
      const sum = (buckets as Json[]).reduce((n, b) => n + Number(b.value.total), 0)
      t.equal(sum, Number(value.total), `${interval}: the buckets add up`)
      return (buckets as Json[]).map(
        b => `${b.label} ${b.from} ${b.value.total} ${b.complete ? 'complete' : 'running'}`
      )
    }
    t.same(await labels('fiscal_year'), ['2024/25 2024-04-01 3 complete', '2025/26 2025-04-01 4 running'])
    t.same(await labels('year'), ['2024 2024-01-01 1 complete', '2025 2025-01-01 6 running'])
    t.same(await labels('quarter'), ['2024-Q4 2024-10-01 1 complete', '2025-Q1 2025-01-01 2 complete', '2025-Q2 2025-04-01 4 running']) // prettier-ignore
    const weeks = await labels('week')
    t.same([weeks[0], weeks.at(-1)], ['2025-W01 2024-12-30 1 complete', '2025-W14 2025-03-31 6 running'])
    t.equal((await labels('month')).length, 5)
    t.equal((await labels('day')).length, 97)
    const many = await world.call('GET', '/v1/metrics/lifetime-value?interval=day&from=2015-01-01')
    t.match(many, {
      status: 400,
      body: { errors: [{ in: 'query', parameter: 'interval', code: 'too_many' }] }
    })
  })

  t.test('what is in the bin counts for nothing', async t => {
    const world = await newWorld(app)
    const { id } = await world.order('a', '2025-01-10T00:00:00Z', '1')
    await world.order('a', '2025-01-11T00:00:00Z', '2')
    const { companyId } = await world.order('b', '2025-01-12T00:00:00Z', '4')
    const { contactId } = await world.order('contact c', '2025-01-12T00:00:00Z', '8')
    const total = async () => (await world.value()).value.total as string
    t.equal(await total(), '15')
    await done(world.call('DELETE', `/v1/orders/${id}`))
    t.equal(await total(), '14')
    await done(world.call('DELETE', `/v1/companies/${companyId}`))
    t.equal(await total(), '10')
    await done(world.call('DELETE', `/v1/contacts/${contactId}`))
    t.equal(await total(), '2')
    await done(world.call('POST', `/v1/companies/${companyId}/restore`))
    t.equal(await total(), '6')
  })

  t.test('customers page by page, those of equal value and of none too', async t => {
    const world = await newWorld(app)
    const amounts = ['5', '7', null, '5', '12', '5', null, '0']
    for (const [i, amount] of amounts.entries()) await world.order(`c${i}`, '2025-01-10T00:00:00Z', amount)
    const found: Json[] = []
    for (let after: string | null = null, turns = 0; turns < 10; turns++) {
      const query = new URLSearchParams({ customers: 'true', limit: '3', ...(after && { after }) }).toString()
      const { customers, page, value } = await done(world.call('GET', `/v1/metrics/lifetime-value?${query}`))
      t.equal(value.customers, 8, 'the value is that of all')
      found.push(...(customers as Json[]))
      after = page.nextCursor as string | null
      t.equal(page.hasMore, after !== null)
      if (after === null) break
    }
    t.same(found.map(c => c.value as unknown), ['12', '7', '5', '5', '5', '0', null, null]) // prettier-ignore
    t.equal(new Set(found.map(c => c.customerId as string)).size, 8)
  })

  t.test('GraphQL answers the same', async t => {
    const world = await newWorld(app)
    await world.order('a', '2025-01-10T00:00:00Z', '1.25')
    const { value, customers, buckets } = await world.value({
      customers: true,
      interval: 'year',
      asOf: '2025-12-31T00:00:00Z'
    })
    const fields = Object.keys(value as Json).join(' ')
    const { body } =
      await world.graphql(`{ metrics { lifetimeValue(customers: true, interval: YEAR, asOf: "2025-12-31T00:00:00Z") {
      currency value { ${fields} } customers { customerId customerType value } page { hasMore nextCursor }
      buckets { label complete value { ${fields} } } } } }`)
    t.equal(body.errors, undefined)
    const found = body.data.metrics.lifetimeValue
    t.same(found.value, value)
    t.match(found, {
      currency: 'EUR',
      customers: [{ customerId: customers[0].customerId as string, customerType: 'COMPANY', value: '1.25' }],
      page: { hasMore: false, nextCursor: null },
      buckets: [{ label: '2025', complete: false, value: buckets[0].value as object }]
    })
  })

  t.test('what it cannot answer is refused by its name', async t => {
    const { call, value } = await newWorld(app)
    const get = (query: string) => call('GET', `/v1/metrics/lifetime-value?${query}`)
    const refused = (parameter: string, message: RegExp) => ({
      status: 400,
      body: { errors: [{ in: 'query', parameter, message }] }
    })
    t.match(await get('method=magic'), refused('method', /historic/))
    t.match(await get('basis=deals'), refused('basis', /orders/))
    t.match(await get('monthlyDiscount=0.1'), refused('monthlyDiscount', /historic/))
    t.match(await get('margin=2'), refused('margin', /<= 1/))
    t.match(await get('currency=euro'), refused('currency', /./))
    t.match(await get('limit=3'), refused('limit', /customers=true/))
    t.match(await get('customers=true&after=x'), refused('after', /cursor/))
    const forged = Buffer.from('["NaN","019b4c1a-3c00-7a10-8b20-000000000000"]').toString('base64url')
    t.match(await get(`customers=true&after=${forged}`), refused('after', /cursor/))
    t.match(await call('POST', '/v1/metrics/lifetime-value', { after: 'x' }), {
      status: 400,
      body: { errors: [{ in: 'body', pointer: '/after' }] }
    })
    const poor = { authorization: `Bearer ${await app.newKey(['metrics:read'])}` }
    t.match(await call('GET', '/v1/metrics/lifetime-value', undefined, poor), {
      status: 403,
      body: { scope: 'orders:read' }
    })
    t.match(await value({ method: 'historic', basis: 'orders' }), {
      parameters: { method: 'historic', basis: 'orders', margin: 1 }
    })
    const entry = ((await done(call('GET', '/v1/metrics'))).data as Json[]).find(
      m => m.name === 'lifetime-value'
    )!
    t.match(
      (entry.parameters as Json[]).find(p => p.name === 'method'),
      { choices: ['historic', 'simple', 'bg_nbd'], default: 'historic' }
    )
  })

  t.test('another workspace has its own', async (t: Test) => {
    const [one, other] = [await newWorld(app), await newWorld(app)]
    await one.order('a', '2025-01-10T00:00:00Z', '3')
    await one.rate('2025-01-01', 'USD', '2')
    await other.order('a', '2025-01-10T00:00:00Z', '5', { currency: 'USD' })
    t.equal((await one.value()).value.total, '3')
    t.match(await other.value(), { value: { total: null }, excluded: { noFxRate: 1 } })
  })
})

async function idOf(world: World, name: string): Promise<{ customerId: string }> {
  return { customerId: Object.values(await world.customer(name))[0] as string }
}
