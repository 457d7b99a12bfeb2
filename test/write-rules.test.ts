import t from 'tap'
import { testApp } from './helpers/app.js'

const { call, graphql } = await testApp(t)

async function made(plural: string, body: object) {
  const reply = await call('POST', `/v1/${plural}`, body)
  if (reply.status !== 201) throw new Error(reply.text)
  return reply.body
}

const stages = [
  { name: 'New', kind: 'open' },
  { name: 'Won', kind: 'won' }
]

async function stageIds(): Promise<string[]> {
  const pipeline = await made('pipelines', { name: 'Sales', stages })
  const { body } = await call('GET', `/v1/stages?pipelineId=${pipeline.id}&sort=position`)
  return (body.data as { id: string }[]).map(s => s.id)
}

const missing = {
  status: 422,
  body: { code: 'unprocessable', errors: [{ pointer: '/currency', code: 'currency_missing' }] }
}

t.test('an amount needs a currency, whatever writes it', async t => {
  const [stageId] = await stageIds()
  const company = await made('companies', { name: 'Acme' })
  const cases: [plural: string, name: string, body: object, amount: string][] = [
    ['companies', 'company', { name: 'Acme' }, 'annualRevenue'],
    ['deals', 'deal', { name: '40 chairs', stageId }, 'amount'],
    ['campaigns', 'campaign', { name: 'Spring' }, 'budget'],
    ['products', 'product', { name: 'Chair' }, 'listPrice'],
    ['orders', 'order', { companyId: company.id }, 'amount'],
    ['orders', 'order', { companyId: company.id }, 'directCost']
  ]
  for (const [plural, name, body, amount] of cases) {
    await t.test(`${plural}: ${amount}`, async t => {
      const money = { [amount]: '10', currency: null }
      const path = `/v1/${plural}`
      t.match(await call('POST', path, { ...body, [amount]: '10' }), missing, 'a create')
      t.match(await call('POST', path, { ...body, ...money }), missing, 'null is none')
      const upsert = `${path}/external/erp/${amount}`
      t.match(await call('PUT', upsert, { ...body, [amount]: '10' }), missing, 'an upsert')
      const plain = await made(plural, body)
      t.match(await call('PATCH', `${path}/${plain.id}`, { [amount]: '10' }), missing, 'an update')
      const priced = await made(plural, { ...body, [amount]: '10', currency: 'EUR' })
      t.match(await call('PATCH', `${path}/${priced.id}`, { currency: null }), missing, 'it is not cleared')
      t.equal((await call('PATCH', `${path}/${priced.id}`, { [amount]: null, currency: null })).status, 200)
      const operations = [
        { op: 'create', body: { ...body, [amount]: '10' } },
        { op: 'create', body: { ...body, [amount]: '10', currency: 'EUR' } },
        { op: 'update', id: plain.id, body: { [amount]: '10' } }
      ]
      const { results } = (await call('POST', `${path}/batch`, { operations })).body
      t.match(results, [
        { error: { errors: [{ pointer: '/operations/0/body/currency', code: 'currency_missing' }] } },
        { status: 'created' },
        { error: { errors: [{ pointer: '/operations/2/body/currency', code: 'currency_missing' }] } }
      ])
      const type = name[0]!.toUpperCase() + name.slice(1)
      const mutation = `mutation($input: Update${type}Input!) { update${type}(input: $input) { ${name} { id } } }`
      const graph = await graphql(mutation, { input: { id: plain.id, [amount]: '10' } })
      t.match(graph.body.errors[0].extensions, { status: 422, errors: missing.body.errors })
    })
  }
  const at = '2026-01-01T00:00:00Z'
  const history = [
    { stageId, at, amount: null },
    { stageId, at, amount: '5' }
  ]
  t.match(await call('POST', '/v1/deals', { name: 'Old', history }), {
    status: 422,
    body: { errors: [{ pointer: '/history/1/currency', code: 'currency_missing' }] }
  })
  const lead = await made('leads', { lastName: 'Rahman' })
  const converted = await call('POST', `/v1/leads/${lead.id}/convert`, {
    deal: { create: { stageId, amount: '5' } }
  })
  t.match(converted, {
    status: 422,
    body: { errors: [{ pointer: '/deal/create/currency', code: 'currency_missing' }] }
  })
})

t.test('codes that nobody gave out', async t => {
  const refused = (pointer: string) => ({ status: 400, body: { errors: [{ pointer, code: 'format' }] } })
  t.match(await call('POST', '/v1/products', { name: 'a', currency: 'XXQ' }), refused('/currency'))
  t.match(await call('PATCH', '/v1/workspace', { baseCurrency: 'XXQ' }), refused('/baseCurrency'))
  for (const country of ['ZZ', 'UK', 'EU']) {
    for (const plural of ['companies', 'contacts', 'leads']) {
      const reply = await call('POST', `/v1/${plural}`, { name: undefined, lastName: 'a', country })
      t.ok(
        (reply.body.errors as { pointer: string }[]).some(e => e.pointer === '/country'),
        reply.text
      )
    }
  }
  for (const currency of ['XTS', 'DEM', 'BDT', 'XCG']) {
    t.equal((await call('POST', '/v1/products', { name: 'a', currency })).status, 201, currency)
  }
})

t.test('the rate of the base currency is 1', async t => {
  const { baseCurrency: currency } = (await call('GET', '/v1/workspace')).body
  const day = { date: '2026-01-01', currency }
  const wrong = { status: 422, body: { errors: [{ pointer: '/rateToBase', code: 'base_currency' }] } }
  const path = '/v1/exchange-rates'
  t.match(await call('POST', path, { ...day, rateToBase: '1.000000000001' }), wrong)
  const rate = await made('exchange-rates', { ...day, rateToBase: '1.0' })
  t.match(await call('PATCH', `${path}/${rate.id}`, { rateToBase: '2' }), wrong)
  t.equal((await call('PATCH', `${path}/${rate.id}`, { currency: 'USD', rateToBase: '2' })).status, 200)
  t.match(await call('PATCH', `${path}/${rate.id}`, { currency }), wrong)
  const operations = [{ op: 'upsert', source: 'ecb', externalId: '1', body: { ...day, rateToBase: '3' } }]
  const { results } = (await call('POST', `${path}/batch`, { operations })).body
  t.match(results, [{ error: { status: 422, errors: [{ pointer: '/operations/0/body/rateToBase' }] } }])
})
