import fc from 'fast-check'
import t from 'tap'
import { keyOf, measured, type GroupBy, type Measure, type Order } from './helpers/aggregate-model.js'
import { testApp } from './helpers/app.js'

const { call } = await testApp(t)

// Where clocks go back over midnight, by half an hour, at one minute past; where they skip a midnight, or a whole day.
const zones = [
  'UTC',
  'America/New_York',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Australia/Lord_Howe',
  'Pacific/Apia',
  'Asia/Dhaka'
]
const changes = [
  '2025-11-02T06:00:00Z',
  '2025-03-09T07:00:00Z',
  '2006-10-29T02:31:00Z',
  '2006-04-02T03:31:00Z',
  '2018-02-18T02:00:00Z',
  '2017-10-15T03:00:00Z',
  '2025-04-05T15:00:00Z',
  '2025-10-04T15:30:00Z',
  '2011-12-30T10:00:00Z',
  '2024-12-31T18:00:00Z'
].map(text => Date.parse(text))

const near = fc
  .tuple(fc.constantFrom(...changes), fc.integer({ min: -180, max: 180 }), fc.integer({ min: -26, max: 26 }))
  .map(
    ([at, minutes, hours]) => new Date(at + minutes * 60_000 + hours * (minutes % 3 === 0 ? 3_600_000 : 0))
  )

const money = fc
  .tuple(fc.integer({ min: -3_000_000, max: 90_000_000 }), fc.integer({ min: 0, max: 4 }))
  .map(([units, places]) => String(Number((units / 10 ** 4).toFixed(places))))

const body = fc.record({
  number: fc.option(fc.constantFrom('A', 'a', 'ä', 'Z', 'নীল')),
  amount: fc.option(money, { freq: 6 }),
  currency: fc.constantFrom('EUR', 'USD', 'JPY'),
  orderedAt: near.map(at => at.toISOString()),
  customFields: fc.dictionary(
    fc.constantFrom('a', 'n'),
    fc.oneof(fc.constantFrom('x', '3', 'true'), fc.integer({ min: -2, max: 9 }), fc.boolean()),
    { noNullPrototype: true }
  )
})

const groupBy: fc.Arbitrary<GroupBy[]> = fc.uniqueArray(
  fc.oneof(
    fc
      .constantFrom('number', 'customFields.a', 'company.industry', 'companyId', 'currency')
      .map(field => ({ field })),
    fc
      .constantFrom(
        'hour',
        'day',
        'week',
        'month',
        'quarter',
        'year',
        'fiscal_year',
        'hour_of_day',
        'day_of_week',
        'month_of_year'
      )
      .map(grain => ({ field: 'orderedAt', grain }))
  ),
  { maxLength: 3, selector: g => `${g.field} ${'grain' in g ? g.grain : ''}` }
)

const op = fc.constantFrom('sum', 'avg', 'min', 'max', 'percentile')
const measure: fc.Arbitrary<Measure> = fc
  .oneof(
    fc.tuple(fc.constantFrom('count', 'distinct'), fc.constantFrom('amount', 'number', 'company.industry')),
    fc.tuple(op, fc.constantFrom('amount', 'customFields.n')),
    fc.tuple(
      op,
      fc.constantFrom('createdAt', 'orderedAt'),
      fc.constantFrom('orderedAt', 'company.createdAt')
    ),
    fc.tuple(fc.constantFrom('avg', 'min', 'max', 'percentile'), fc.constant('orderedAt'))
  )
  .chain(([operator, field, since]) =>
    fc.constantFrom(0, 0.25, 0.333, 0.5, 0.9, 1).map(p => ({
      op: operator,
      field,
      ...(since !== undefined && { since }),
      ...(operator === 'percentile' && { p })
    }))
  )

async function make(): Promise<Order[]> {
  await call('PATCH', '/v1/workspace', { fiscalYearStart: '07-15' })
  const made = []
  for (const [name, industry] of [
    ['a', 'metal'],
    ['b', 'metal'],
    ['c', null],
    ['d', 'gone'],
    ['e', 'Metal']
  ])
    made.push((await call('POST', '/v1/companies', { name, industry })).body)
  const bodies = fc.sample(fc.tuple(body, fc.constantFrom(...made)), { numRuns: 150, seed: 11 })
  const operations = bodies.map(([order, company]) => ({
    op: 'create',
    body: { ...order, companyId: company.id }
  }))
  const batch = await call('POST', '/v1/orders/batch', { operations, atomic: true })
  if (batch.status !== 200) throw new Error(batch.text)
  await call('DELETE', `/v1/companies/${made.find(c => c.name === 'd')!.id}`)
  const { data } = (await call('GET', '/v1/orders?limit=200&include=company')).body
  return data as Order[]
}

const close = (found: unknown, wanted: string | number | null) => {
  if (typeof wanted !== 'number' || found === null) return found === wanted
  const number = typeof found === 'string' ? Date.parse(found) : (found as number)
  return Math.abs(number - wanted) <= Math.max(1e-9 * Math.abs(wanted), typeof found === 'string' ? 1 : 1e-9)
}

t.test('buckets are what a plain aggregation finds, and their filters list them', async t => {
  const orders = await make()
  t.equal(orders.length, 150)
  const inEuro = { currency: { eq: 'EUR' } }

  async function holds(groups: GroupBy[], measures: Measure[], zone: string): Promise<void> {
    const named = measures.map((m, i) => ({ ...m, name: `m${i}` }))
    const mixed = !groups.some(g => g.field === 'currency')
    const given = mixed ? { filter: inEuro } : {}
    const rows = mixed ? orders.filter(o => o.currency === 'EUR') : orders
    const keys = groups.map((g, i) => ({ ...g, name: `k${i}` }))
    const { status, body, text } = await call('POST', '/v1/orders/aggregate', {
      ...given,
      groupBy: keys,
      measures: named,
      timeZone: zone,
      limit: 1000
    })
    if (status !== 200) throw new Error(text)
    const wanted = new Map<string, Order[]>()
    for (const order of rows) {
      const key = JSON.stringify(groups.map(g => keyOf(order, g, zone)))
      wanted.set(key, [...(wanted.get(key) ?? []), order])
    }
    const buckets = body.data as {
      group: Record<string, unknown>
      count: number
      values: Record<string, unknown>
      filter: object
    }[]
    const found = new Map(buckets.map(b => [JSON.stringify(keys.map(k => b.group[k.name])), b]))
    const different = [...new Set([...wanted.keys(), ...found.keys()])].filter(
      key => wanted.get(key)?.length !== found.get(key)?.count
    )
    if (different.length > 0) throw new Error(`${zone}: ${different.join(' ')}`)
    for (const [key, bucket] of found) {
      for (const m of named) {
        const value = measured(wanted.get(key)!, m)
        if (!close(bucket.values[m.name], value))
          throw new Error(`${key} ${JSON.stringify(m)}: ${String(bucket.values[m.name])} is ${String(value)}`)
      }
    }
    for (const [key, { filter }] of [...found].filter((_, i) => i % 7 === 0)) {
      const list = await call('POST', '/v1/orders/search', { filter, limit: 200, fields: ['id'] })
      const ids = (list.body.data as Order[]).map(o => o.id).sort()
      const those = wanted
        .get(key)!
        .map(o => o.id)
        .sort()
      if (ids.join() !== those.join()) throw new Error(`${zone} ${key}: ${JSON.stringify(filter)}`)
    }
  }

  const measures = fc.array(measure, { maxLength: 4 })
  await t.resolves(
    fc.assert(fc.asyncProperty(groupBy, measures, fc.constantFrom(...zones), holds), { numRuns: 120 })
  )
  for (const zone of zones) {
    for (const grain of ['hour', 'day', 'fiscal_year'])
      await t.resolves(holds([{ field: 'orderedAt', grain }], [], zone), `${grain} in ${zone}`)
  }
})
