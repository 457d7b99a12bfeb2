import t from 'tap'
import { testApp } from './helpers/app.js'
import { statuses, times } from './helpers/http.js'
import { as, identity } from './helpers/identity.js'

const kith = await testApp(t)
const { call, graphql } = kith
const { newUser, tokenOf } = identity(kith)

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

t.test('a reference that is there already may be sent again', async t => {
  const [stageId] = await stageIds()
  const rep = await newUser('rep')
  const rival = await newUser('rep')
  const header = as(tokenOf(rep))
  const binned = await made('companies', { name: 'Binned' })
  const hidden = await made('contacts', { lastName: 'Hidden', ownerId: rival.id })
  const open = await made('contacts', { lastName: 'Open', ownerId: rep.id })
  const links = { companyId: binned.id, primaryContactId: hidden.id }
  const given = { name: '40 chairs', stageId, ownerId: rep.id, ...links }
  const deal = await made('deals', { ...given, externalIds: [{ source: 'erp', id: 'D' }] })
  await call('DELETE', `/v1/companies/${binned.id}`)
  const path = `/v1/deals/${deal.id}`
  const people = [{ contactId: hidden.id, role: null }]
  const same = { ...links, contacts: people }
  t.match(await call('PATCH', path, same, header), { status: 200, body: { version: 1 } })
  t.match(await call('PUT', '/v1/deals/external/erp/D', same, header), { status: 200, body: { version: 1 } })
  const update = (body: object) => ({ operations: [{ op: 'update', id: deal.id, body }] })
  t.match((await call('POST', '/v1/deals/batch', update(same), header)).body.results, [
    { status: 'unchanged' }
  ])
  const more = [...people, { contactId: open.id, role: 'champion' }]
  t.match(await call('PATCH', path, { contacts: more }, header), { status: 200, body: { contacts: more } })

  const other = await made('contacts', { lastName: 'Other', ownerId: rival.id })
  const unknown = (pointer: string) => ({
    status: 422,
    body: { errors: [{ pointer, code: 'unknown_reference' }] }
  })
  const third = [...more, { contactId: other.id }]
  t.match(await call('PATCH', path, { contacts: third }, header), unknown('/contacts/2/contactId'))
  t.match(await call('PATCH', path, { primaryContactId: other.id }, header), unknown('/primaryContactId'))
  const elsewhere = await made('deals', { name: 'Another', stageId, ownerId: rep.id })
  t.match(await call('PATCH', `/v1/deals/${elsewhere.id}`, links, header), unknown('/companyId'))
  t.match(await call('POST', '/v1/deals', { name: 'New', stageId, ...links }, header), unknown('/companyId'))
})

t.test('owners in the history of a new deal are users of the workspace', async t => {
  const [stageId] = await stageIds()
  const user = await newUser('rep')
  const foreign = kith.workspaceId
  const history = (ownerId: string) => [
    { stageId, at: '2026-01-01T00:00:00Z', ownerId: user.id },
    { stageId, at: '2026-01-02T00:00:00Z', ownerId }
  ]
  t.equal((await call('POST', '/v1/deals', { name: 'Old', history: history(user.id) })).status, 201)
  t.match(await call('POST', '/v1/deals', { name: 'Old', history: history(foreign) }), {
    status: 422,
    body: { errors: [{ pointer: '/history/1/ownerId', code: 'unknown_reference' }] }
  })
})

t.test('no company is above itself', async t => {
  const company = async (parentId: string | null = null) =>
    (await made('companies', { name: 'Acme', parentId })).id as string
  const top = await company()
  const middle = await company(top)
  const bottom = await company(middle)
  const move = (id: string, parentId: string) => call('PATCH', `/v1/companies/${id}`, { parentId })
  const circular = { status: 422, body: { errors: [{ pointer: '/parentId', code: 'circular' }] } }
  t.match(await move(top, middle), circular)
  t.match(await move(top, bottom), circular)
  t.match(await move(top, top), { status: 422 })
  const pair = [await company(), await company()]
  const operations = pair.map((id, i) => ({ op: 'update', id, body: { parentId: pair[1 - i] } }))
  const { results } = (await call('POST', '/v1/companies/batch', { operations })).body
  t.match(results, [0, 1].map(() => ({ status: 'failed', error: { errors: [{ code: 'circular' }] } }))) // prettier-ignore
  for (let round = 0; round < 5; round++) {
    const ring = await Promise.all([company(), company(), company()])
    const answers = await times(3, i => move(ring[i]!, ring[(i + 1) % 3]!))
    t.same(statuses(answers), { 200: 2, 422: 1 }, 'nor by moves that race')
  }
})

t.test('the user whose records are handed over may be named by version', async t => {
  const [from, to] = [await newUser('rep'), await newUser('rep')]
  const reassign = (tag: string) =>
    call('POST', `/v1/users/${from.id}/reassign`, { to: [to.id] }, { 'if-match': tag })
  t.match(await reassign('"7"'), { status: 412, body: { currentVersion: 1 } })
  t.equal((await reassign('"1"')).status, 200)
})
