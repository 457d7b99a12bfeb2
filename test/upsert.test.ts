import t from 'tap'
import { testApp } from './helpers/app.js'
import { statuses, times } from './helpers/http.js'

t.test('what only a creation takes is of no account for a deal that is there', async t => {
  const { call } = await testApp(t)
  const stages = [{ name: 'New' }, { name: 'Won', kind: 'won' }]
  const pipeline = (await call('POST', '/v1/pipelines', { name: 'Sales', stages })).body
  const { data } = (await call('GET', `/v1/stages?pipelineId=${pipeline.id}&sort=position`)).body
  const [first, won] = data as { id: string }[]
  const path = '/v1/deals/external/shop/1'
  const made = (await call('PUT', path, { name: 'One', stageId: first!.id })).body
  const other = { stageId: won!.id, openedAt: '2020-01-01T00:00:00Z' }

  t.test('by a single call', async t => {
    const again = await call('PUT', path, { name: 'One', ...other })
    t.equal(again.status, 200)
    t.same(again.body, made)
  })

  t.test('by a batch', async t => {
    const body = { name: 'Two', ...other, history: [{ stageId: won!.id, at: '2020-01-01T00:00:00Z' }] }
    const operations = [{ op: 'upsert', source: 'shop', externalId: '1', body }]
    const batch = await call('POST', '/v1/deals/batch', { operations })
    t.match(batch.body.results, [{ status: 'updated', id: made.id }])
    const { stageId, status, openedAt } = made
    t.match((await call('GET', path)).body, { name: 'Two', stageId, status, openedAt })
    t.equal((await call('GET', `/v1/deals/${made.id}/history`)).body.data.length, 1)
  })
})

t.test('an upsert that insists', async t => {
  const { call } = await testApp(t)
  const path = '/v1/contacts/external/erp/1'
  const [isNew, isKnown] = [{ 'if-none-match': '*' }, { 'if-match': '*' }]
  const failed = { status: 412, body: { code: 'version_mismatch' } }
  t.match(await call('PUT', path, { lastName: 'a' }, isKnown), failed, 'on one that is there')
  const answers = await times(5, () => call('PUT', path, { lastName: 'a' }, isNew))
  t.same(statuses(answers), { 201: 1, 412: 4 }, 'on a new one')
  t.match(await call('PUT', path, { lastName: 'b' }, isKnown), { status: 200, body: { version: 2 } })
  const { body } = await call('GET', path)
  await call('DELETE', `/v1/contacts/${body.id}`)
  t.match(await call('PUT', `${path}?restore=true`, {}, isNew), failed, 'in the bin')
  const key = { ...isKnown, 'idempotency-key': 'insist' }
  t.equal((await call('PUT', `${path}?restore=true`, {}, key)).status, 200)
  const other = await call('PUT', `${path}?restore=true`, {}, { 'idempotency-key': 'insist' })
  t.match(other, { status: 422, body: { code: 'idempotency_mismatch' } })
})

t.test('rows of a batch with members that their op has no use for', async t => {
  const { call } = await testApp(t)
  const { id } = (await call('POST', '/v1/contacts', { lastName: 'a' })).body
  const external = { source: 'erp', externalId: '7' }
  const refused: [object, string][] = [
    [{ op: 'create', body: {}, id }, 'id'],
    [{ op: 'create', body: {}, source: 'erp' }, 'source'],
    [{ op: 'create', body: {}, externalId: '7' }, 'externalId'],
    [{ op: 'create', body: {}, expectedVersion: 1 }, 'expectedVersion'],
    [{ op: 'create', body: {}, restore: true }, 'restore'],
    [{ op: 'update', id, body: {}, source: 'erp' }, 'source'],
    [{ op: 'update', id, body: {}, restore: true }, 'restore'],
    [{ op: 'upsert', ...external, body: {}, id }, 'id'],
    [{ op: 'delete', id, body: {} }, 'body'],
    [{ op: 'restore', id, restore: true }, 'restore']
  ]
  const operations = refused.map(([operation]) => operation)
  const { results } = (await call('POST', '/v1/contacts/batch', { operations })).body
  for (const [i, [, name]] of refused.entries()) {
    const errors = [{ pointer: `/operations/${i}/${name}`, code: 'not_allowed' }]
    t.match(results[i], { status: 'failed', error: { status: 400, errors } }, JSON.stringify(operations[i]))
  }
  const fresh = { op: 'upsert', ...external, expectedVersion: 1, body: {} }
  const one = await call('PUT', '/v1/contacts/external/erp/7', {}, { 'if-match': '"1"' })
  const row = (await call('POST', '/v1/contacts/batch', { operations: [fresh] })).body.results[0].error
  const { code, detail } = one.body
  t.match(row, { status: 412, code, detail }, 'a version of what is not there, as in a single call')
})
