import t from 'tap'
import { testApp } from './helpers/app.js'
import { isProblem, type Expected } from './helpers/problems.js'

const { call } = await testApp(t)
const path = '/v1/contacts'

t.test('request ids', async t => {
  for (const given of ['a', 'abc-DEF_1.2', 'x'.repeat(128)]) {
    const reply = await call('GET', `${path}/x`, undefined, { 'x-request-id': given })
    t.equal(reply.headers['x-request-id'], given, 'taken over')
    isProblem(t, reply, { status: 400 })
    t.equal(reply.body.requestId, given)
  }
  for (const given of ['', 'a b', '<script>', 'x'.repeat(129), 'é', 'a,b', '${jndi:ldap://x}', 'a@b.c']) {
    const reply = await call('GET', `${path}/x`, undefined, { 'x-request-id': given })
    isProblem(t, reply, { status: 400 })
    t.match(reply.body.requestId, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'replaced')
  }
})

t.test('Idempotency-Key', async t => {
  for (const given of ['', ' ', 'a b', 'é', 'x'.repeat(256), 'a\u007f']) {
    const reply = await call('POST', path, { firstName: 'a' }, { 'idempotency-key': given })
    isProblem(
      t,
      reply,
      { status: 400, code: 'invalid_input', in: 'header', parameter: 'Idempotency-Key' },
      path
    )
  }
  t.equal(
    (await call('POST', path, {}, { 'idempotency-key': "'; drop table contacts; --".replaceAll(' ', '') }))
      .status,
    201
  )
  const first = await call('POST', path, { firstName: 'a' }, { 'idempotency-key': 'k' })
  t.equal(first.status, 201)
  const other = await call('POST', path, { firstName: 'b' }, { 'idempotency-key': 'k' })
  isProblem(t, other, { status: 422, code: 'idempotency_mismatch' }, path)
})

t.test('If-Match', async t => {
  const { body } = await call('POST', path, { firstName: 'a' })
  const at = `${path}/${body.id}`
  for (const given of ['1', 'abc', '"1", "2"', '"1" x', '""1""', "'1'", '']) {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const reply = await call(method, at, method === 'PATCH' ? {} : undefined, { 'if-match': given })
      isProblem(t, reply, { status: 400, code: 'invalid_input', in: 'header', parameter: 'If-Match' }, at)
    }
  }
  for (const given of [
    '"2"',
    '"0"',
    '"-1"',
    '"1.0"',
    '"01"',
    '"abc"',
    'W/"1"',
    '""',
    '"9999999999"',
    `"${'9'.repeat(400)}"`
  ]) {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const reply = await call(method, at, method === 'PATCH' ? {} : undefined, { 'if-match': given })
      isProblem(t, reply, { status: 412, code: 'version_mismatch' }, at)
    }
  }
  t.equal((await call('PATCH', at, { firstName: 'b' }, { 'if-match': '"1"' })).status, 200)
  t.equal((await call('PATCH', at, { firstName: 'c' }, { 'if-match': '*' })).status, 200)
})

t.test('conditions where they mean nothing', async t => {
  const { body } = await call('POST', path, { firstName: 'a' })
  const named = (parameter: string): Expected => ({
    status: 400,
    code: 'invalid_input',
    in: 'header',
    parameter
  })
  const writes: [string, string, unknown][] = [
    ['POST', path, {}],
    ['POST', `${path}/batch`, { operations: [{ op: 'create', body: {} }] }],
    ['POST', '/v1/deals/moves', { moves: [{ dealId: body.id, stageId: body.id }] }],
    ['POST', '/v1/api-keys', { name: 'a', scopes: [] }]
  ]
  const reads: [string, string, unknown][] = [
    ['POST', `${path}/search`, {}],
    ['GET', path, undefined],
    ['GET', `${path}/${body.id}/changes`, undefined],
    ['GET', '/v1/metrics', undefined],
    ['GET', '/v1/events/stream', undefined],
    ['GET', `${path}/${body.id}?fields=id`, undefined]
  ]
  for (const [method, at, given] of [...writes, ...reads]) {
    const reply = await call(method, at, given, { 'if-match': '"1"' })
    isProblem(t, reply, named('If-Match'), at.split('?')[0])
  }
  const known: [string, string, unknown][] = [
    ['PATCH', `${path}/${body.id}`, { firstName: 'b' }],
    ['DELETE', `${path}/${body.id}`, undefined]
  ]
  for (const [method, at, given] of [...writes, ...known]) {
    isProblem(t, await call(method, at, given, { 'if-none-match': '*' }), named('If-None-Match'), at)
  }
  const external = `${path}/external/erp/1`
  isProblem(t, await call('PUT', external, {}, { 'if-none-match': '"1"' }), named('If-None-Match'), external)
  t.match((await call('GET', path)).body.data, [{ id: body.id, version: 1 }], 'and nothing was written')
})

t.test('Accept', async t => {
  for (const accept of ['*/*', 'text/html', 'application/xml', 'nonsense', '']) {
    const reply = await call('GET', path, undefined, { accept })
    t.equal(reply.status, 200)
    t.match(reply.headers['content-type'], /^application\/json/)
  }
})
