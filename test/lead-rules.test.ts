import t from 'tap'
import { capturedAt, desk, nobody } from './helpers/conversion.js'

const { app, made, convert, captured, stageIds } = await desk(t)
const { call } = app

const early = '2025-12-31T00:00:00.000Z'
const late = '2026-02-01T00:00:00.000Z'
const refused = (pointer: string, code: string) => ({ status: 422, body: { errors: [{ pointer, code }] } })

t.test('times of a lead that cannot be', async t => {
  const path = '/v1/leads'
  for (const field of ['workingAt', 'nurturingAt', 'qualifiedAt', 'unqualifiedAt']) {
    const lead = { lastName: 'Rahman', capturedAt, [field]: early }
    const answer = await call('POST', path, { ...lead, status: 'working' })
    t.match(answer, refused(`/${field}`, 'before_capture'))
    t.match(await call('POST', path, { ...lead, [field]: late }), refused(`/${field}`, 'still_new'))
  }
  const converted = { lastName: 'Rahman', status: 'converted', capturedAt, convertedAt: early }
  t.match(await call('POST', path, converted), refused('/convertedAt', 'before_capture'))
  t.match(await call('PUT', `${path}/external/form/1`, converted), refused('/convertedAt', 'before_capture'))
  const { results } = (
    await call('POST', `${path}/batch`, { operations: [{ op: 'create', body: converted }] })
  ).body
  t.match(results, [{ error: { errors: [{ pointer: '/operations/0/body/convertedAt' }] } }])

  const qualified = await captured({ status: 'qualified', qualifiedAt: late })
  const at = `${path}/${qualified.id}`
  const after = await call('PATCH', at, { capturedAt: '2026-02-01T00:00:00.001Z' })
  t.match(after, refused('/capturedAt', 'after_status'))
  t.match(await call('PATCH', at, { capturedAt: late }), { status: 200, body: { capturedAt: late } })
  t.match(await convert(qualified.id, { convertedAt: early }), refused('/convertedAt', 'before_capture'))
  t.equal((await convert(qualified.id, { convertedAt: late })).status, 200)
})

t.test('a lead that names its deal changes the deal, and needs its scope', async t => {
  const [stageId] = await stageIds()
  const deal = await made('deals', { name: '40 chairs', stageId })
  const only = { authorization: `Bearer ${await app.newKey(['leads:write', 'leads:read'])}` }
  const both = { authorization: `Bearer ${await app.newKey(['leads:write', 'deals:write'])}` }
  const forbidden = { status: 403, body: { scope: 'deals:write' } }
  for (const dealId of [deal.id, nobody]) {
    const body = { lastName: 'Rahman', dealId }
    t.match(await call('POST', '/v1/leads', body, only), forbidden)
    t.match(await call('PUT', '/v1/leads/external/form/2', body, only), forbidden)
    const operations = [
      { op: 'create', body },
      { op: 'upsert', source: 'form', externalId: '3', body },
      { op: 'create', body: { lastName: 'Rahman', dealId: null } }
    ]
    const batch = await call('POST', '/v1/leads/batch', { operations }, only)
    t.match(batch.body.results, [
      { error: { status: 403, scope: 'deals:write' } },
      { error: { status: 403, scope: 'deals:write' } },
      { status: 'created' }
    ])
    t.match(await call('POST', '/v1/leads/batch', { atomic: true, operations }, only), forbidden)
    const mutation = 'mutation($input: CreateLeadInput!) { createLead(input: $input) { lead { id } } }'
    const graph = await app.graphql(mutation, { input: body }, only)
    t.match(graph.body.errors[0].extensions, { code: 'forbidden', scope: 'deals:write' })
  }
  t.match((await call('GET', `/v1/deals/${deal.id}`)).body, { leadId: null, version: 1 })
  t.equal((await call('POST', '/v1/leads', { lastName: 'R', dealId: deal.id }, both)).status, 201)
})
