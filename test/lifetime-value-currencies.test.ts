import sql from 'sql-template-tag'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { edgeCase, type Json } from './helpers/expected.js'
import { done } from './helpers/funnel.js'
import { newWorld } from './helpers/lifetime-value.js'

t.test('lifetime value of several currencies', async t => {
  const app = await testApp(t, { RATE_LIMIT: '0' })

  t.test(edgeCase('E16').title, async t => {
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
})
