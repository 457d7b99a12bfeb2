import { readFile } from 'node:fs/promises'
import sql from 'sql-template-tag'
import t, { type Test } from 'tap'
import { testApp, type TestApp } from './helpers/app.js'
import { done } from './helpers/funnel.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

const { cases } = JSON.parse(await readFile(new URL('data/edge-cases.json', import.meta.url), 'utf8')) as Json
const edgeCase = (id: string) => (cases as Json[]).find(c => c.id === id)!

interface World {
  call: TestApp['call']
  graphql: TestApp['graphql']
  /** Customers by name, made when first named; `contact …` names a contact. */
  customer(name: string): Promise<{ companyId: string } | { contactId: string }>
  order(customer: string, orderedAt: string, amount: string | null, more?: object): Promise<Json>
  rate(date: string, currency: string, rateToBase: string): Promise<Json>
  value(parameters?: object): Promise<Json>
}

async function newWorld(app: TestApp, settings: object = {}): Promise<World> {
  const headers = { authorization: `Bearer ${await app.newKey(['admin'], await app.newWorkspace('shop'))}` }
  const call: World['call'] = (method, path, body, more) =>
    app.call(method, path, body, { ...headers, ...more })
  await done(call('PATCH', '/v1/workspace', settings))
  const known = new Map<string, { companyId: string } | { contactId: string }>()
  const customer: World['customer'] = async name => {
    const found = known.get(name)
    if (found) return found
    const isContact = name.startsWith('contact')
    const body = isContact ? { firstName: name } : { name }
    const { id } = await done(call('POST', isContact ? '/v1/contacts' : '/v1/companies', body))
    const made = isContact ? { contactId: id as string } : { companyId: id as string }
    known.set(name, made)
    return made
  }
  return {
    call,
    graphql: (query, variables) => call('POST', '/graphql', { query, variables }),
    customer,
    order: async (name, orderedAt, amount, more = {}) =>
      done(
        call('POST', '/v1/orders', { currency: 'EUR', ...(await customer(name)), orderedAt, amount, ...more })
      ),
    rate: (date, currency, rateToBase) =>
      done(call('POST', '/v1/exchange-rates', { date, currency, rateToBase })),
    value: (parameters = {}) => done(call('POST', '/v1/metrics/lifetime-value', parameters))
  }
}

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

  t.test(edgeCase('E16').title as string, async t => {
    const { given, expect } = edgeCase('E16')
    const world = await newWorld(app, { baseCurrency: given.fx.base as string })
    for (const { date, currency, rate } of given.fx.rates as Json[])
      await world.rate(date, currency, String(rate))
    const companies = new Map<string, string>()
    for (const { id, amount, currency, closed } of given.deals as Json[]) {
      const made = await world.order(id, `${closed}T12:00:00Z`, amount === null ? null : String(amount), {
        currency
      })
      companies.set(made.companyId as string, id as string)
    }
    const answer = await world.value({ customers: true })
    const valued = (answer.customers as Json[]).map(c => [companies.get(c.customerId as string)!, c.value === null ? null : Number(c.value)]) // prettier-ignore
    t.same(Object.fromEntries(valued), expect.value)
    t.match(answer.value, {
      customers: expect.won_count as number,
      customersWithValue: 3,
      orders: expect.won_count as number,
      total: String(expect.total),
      mean: String(expect.avg_won_value),
      averageOrderValue: String(expect.avg_won_value),
      totalPerCustomer: '45'
    })
    const { no_fx_rate: noFxRate, missing_amount: missingAmount } = expect.excluded
    t.same(answer.excluded, { missingAmount, noFxRate })
    t.match(answer.warnings, [
      { code: 'missing_amount', count: missingAmount },
      { code: 'no_fx_rate', count: noFxRate }
    ])
  })

  t.test(edgeCase('E20').title as string, async t => {
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

  t.test(
    "the day that picks the rate is the workspace's, the day of the order that of the report",
    async t => {
      const world = await newWorld(app, { timeZone: 'America/New_York' })
      await world.rate('2025-01-01', 'USD', '0.9')
      await world.rate('2025-02-01', 'USD', '0.8')
      await world.order('a', '2025-02-01T04:59:59Z', '100', { currency: 'USD' })
      await world.order('a', '2025-02-01T05:00:00Z', '100', { currency: 'USD' })
      const here = await world.value({ interval: 'month' })
      t.match(here.value, { total: '170', orderDays: 2, averageOrderValue: '85', ordersPerCustomer: 2 })
      t.equal(here.buckets[0].label, '2025-01')
      const there = await world.value({ timeZone: 'UTC', interval: 'month' })
      t.match(there.value, { total: '170', orderDays: 1, averageOrderValue: '170', ordersPerCustomer: 1 })
      t.equal(there.buckets[0].label, '2025-02')
    }
  )

  t.test('another currency is that of the same day; its own amounts need no rate', async t => {
    const world = await newWorld(app)
    await world.rate('2025-01-01', 'USD', '0.8')
    await world.rate('2025-01-01', 'GBP', '1.2')
    await world.rate('2025-02-01', 'GBP', '1.3')
    await world.order('a', '2025-01-15T00:00:00Z', '10', { currency: 'GBP' })
    await world.order('a', '2025-02-15T00:00:00Z', '10', { currency: 'GBP' })
    await world.order('a', '2025-01-15T00:00:00Z', '10')
    await world.order('a', '2024-01-15T00:00:00Z', '7', { currency: 'USD' })
    t.match((await world.value()).value, { total: '35' })
    const dollars = await world.value({ currency: 'USD' })
    t.match(dollars, { currency: 'USD', value: { total: '50.75' }, excluded: { noFxRate: 0 } })
    t.match(await world.value({ currency: 'GBP' }), {
      value: { total: '28.3333333333' },
      excluded: { noFxRate: 1 },
      parameters: { currency: 'GBP' }
    })
    const none = await world.value({ currency: 'CHF' })
    t.match(none, { value: { total: null, customers: 1 }, excluded: { noFxRate: 4 }, reasons: { '/value/total': 'nothing_valued' } }) // prettier-ignore
  })

  t.test('with all rates 1 it is as in one currency, and it grows with the amounts', async t => {
    const [one, many, scaled] = [await newWorld(app), await newWorld(app), await newWorld(app)]
    for (const currency of ['USD', 'GBP']) await many.rate('2024-01-01', currency, '1')
    for (let i = 0; i < 12; i++) {
      const at = `2025-01-0${(i % 9) + 1}T0${i % 10}:00:00Z`
      const amount = `${i * 37}.5`
      await one.order(`c${i % 5}`, at, amount)
      await many.order(`c${i % 5}`, at, amount, { currency: ['EUR', 'USD', 'GBP'][i % 3] })
      await scaled.order(`c${i % 5}`, at, String(Number(amount) * 4))
    }
    const [a, b, c] = [await one.value(), await many.value(), await scaled.value()]
    t.same(b.value, a.value)
    for (const name of ['total', 'mean', 'totalPerCustomer', 'averageOrderValue'])
      t.ok(Math.abs(Number(c.value[name]) - 4 * Number(a.value[name])) < 1e-8, name)
    t.equal(c.value.ordersPerCustomer, a.value.ordersPerCustomer)
    for (const timeZone of ['Pacific/Apia', 'America/New_York'])
      t.equal((await many.value({ timeZone })).value.total, a.value.total, 'in any zone')
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

  t.test('as of and as known at a moment; a later rate changes nothing before', async t => {
    const world = await newWorld(app)
    await world.rate('2025-01-01', 'USD', '0.5')
    await world.order('a', '2025-01-10T00:00:00Z', '100', { currency: 'USD' })
    const asOf = '2025-01-31T00:00:00Z'
    const before = await world.value({ asOf })
    t.equal(before.value.total, '50')
    await world.rate('2025-02-01', 'USD', '0.7')
    await world.order('a', '2025-02-10T00:00:00Z', '100', { currency: 'USD' })
    t.same((await world.value({ asOf })).value, before.value)
    t.equal((await world.value()).value.total, '120')
    await world.order('b', '2025-01-05T00:00:00Z', '1')
    await world.rate('2025-01-09', 'USD', '0.6')
    t.equal((await world.value({ asOf })).value.total, '61', 'what is entered late counts from now on')
    const { knownAt } = before
    t.same((await world.value({ asOf, knownAt })).value, before.value, 'and did not before')
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

  t.test('20 years of rates, and a look centuries ahead', async t => {
    const world = await newWorld(app)
    const workspaceId = (await done(world.call('GET', '/v1/me'))).workspaceId as string
    await app.database.query(sql`
      insert into exchange_rates (workspace_id, id, created_at, updated_at, currency, date, rate_to_base)
      select ${workspaceId}, gen_random_uuid(), now(), now(), c.currency, d.day::date,
        case when d.day < '2025-01-01' then 2 else 4 end
      from (values ('USD'), ('GBP'), ('BDT')) c(currency),
        generate_series('2005-01-01'::timestamp, '2025-01-01', interval '1 day') d(day)`)
    await world.rate('2006-01-01', 'JPY', '8')
    for (const [at, currency] of [
      ['2004-12-31', 'USD'],
      ['2005-01-01', 'GBP'],
      ['2024-12-31', 'USD'],
      ['2025-06-01', 'BDT'],
      ['3025-01-01', 'USD'],
      ['9000-01-01', 'JPY']
    ] as const)
      // prettier-ignore
      await world.order('a', `${at}T12:00:00Z`, '1', { currency })
    const begun = performance.now()
    const told = async (asOf: string, currency: string) => {
      const { value } = await world.value({ asOf, currency })
      return [value.total, value.orders] as unknown[]
    }
    t.same(await told('2025-07-01T00:00:00Z', 'EUR'), ['8', 4])
    t.same(await told('2100-01-01T00:00:00Z', 'EUR'), ['8', 4])
    t.same(await told('9998-12-31T00:00:00Z', 'EUR'), ['20', 6], 'after the last rate it goes on')
    t.same(await told('9998-12-31T00:00:00Z', 'USD'), ['7', 6])
    t.ok(performance.now() - begun < 15_000, 'at once')
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
