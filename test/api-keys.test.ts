import sql from 'sql-template-tag'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { as, identity } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'

const kith = await testApp(t)
const { app, call, graphql, database, workspaceId } = kith
const { newUser, makeKey, me } = identity(kith)

t.test('an API key is told once', async t => {
  const { id, key, reply } = await makeKey({})
  t.match(key, new RegExp(`^kith_${workspaceId.replaceAll('-', '')}_[\\w-]{43}$`))
  const secret = key.slice(-43)
  t.equal(reply.body.apiKey.hint, secret.slice(0, 4))
  const [row] = await database.query(sql`select * from api_keys where id = ${id}`)
  t.notMatch(JSON.stringify(row), secret, 'the database has no secret')
  const hash = String(row!.secret_hash)
  t.match((await me(key)).body, { actorType: 'key', actorId: id, scopes: ['contacts:read'], user: null })
  await call('PATCH', `/v1/api-keys/${id}`, { name: 'renamed' })
  const shown = await Promise.all([
    call('GET', '/v1/api-keys'),
    call('GET', `/v1/api-keys/${id}`),
    call('GET', `/v1/api-keys/${id}/changes`),
    call('POST', '/v1/api-keys/search', {}),
    call('GET', '/v1/events?limit=1000'),
    graphql('{ apiKeys { nodes { id name hint scopes lastUsedAt } } }')
  ])
  t.equal(shown[0]?.body.data.length, 2)
  for (const { status, text } of shown) {
    t.equal(status, 200)
    t.notOk(text.includes(secret) || text.includes(hash), 'its secret is not')
  }
  t.match(shown[1]?.body.lastUsedAt, /^20\d\d-/, 'when it was last used')
  for (const parameter of ['fields=secretHash', 'secretHash=x', 'sort=secretHash']) {
    t.equal((await call('GET', `/v1/api-keys?${parameter}`)).status, 400)
  }
})

t.test('what is no key is refused alike', async t => {
  const { key } = await makeKey({})
  const foreign = key.replace(/_[0-9a-f]{32}_/, `_${'0'.repeat(32)}_`)
  const wrong = [
    `${key.slice(0, -1)}${key.endsWith('A') ? 'B' : 'A'}`,
    key.slice(0, -1),
    `${key}x`,
    foreign,
    'kith_',
    'kith__',
    'x'
  ]
  const seen = new Set<string>()
  for (const bad of wrong) {
    const reply = await me(bad)
    isProblem(t, reply, { status: 401, code: 'unauthenticated' }, '/v1/me')
    t.match(reply.headers['www-authenticate'], /^Bearer/)
    seen.add(JSON.stringify({ ...reply.body, requestId: '' }))
  }
  t.equal(seen.size, 1, 'one answer for all')
  for (const authorization of [
    '',
    'Bearer',
    'Bearer ',
    `Basic ${key}`,
    key,
    `Bearer ${key} x`,
    `Bearer ${'a'.repeat(9000)}`
  ]) {
    const reply = await call('GET', '/v1/me', undefined, { authorization })
    isProblem(t, reply, { status: 401, code: 'unauthenticated' })
    t.match(reply.headers['www-authenticate'], /^Bearer/)
  }
  const none = await app.inject({ url: '/v1/contacts' })
  t.match(none, { statusCode: 401, headers: { 'www-authenticate': /^Bearer/ } })
})

t.test('rotation', async t => {
  const old = await makeKey({})
  const graceful = await call('POST', `/v1/api-keys/${old.id}/rotate`, { graceSeconds: 60 })
  t.equal(graceful.status, 200)
  const next = graceful.body.key as string
  t.not(next, old.key)
  t.match(await me(old.key), { status: 200 }, 'the old secret works for a while')
  t.match(await me(next), { status: 200, body: { actorId: old.id } })
  const [row] = await database.query(sql`select * from api_keys where id = ${old.id}`)
  t.notOk(JSON.stringify(row).includes(next.slice(-43)))
  const abrupt = await call('POST', `/v1/api-keys/${old.id}/rotate`, {})
  const fresh = await makeKey({})
  const unused = await call('POST', `/v1/api-keys/${fresh.id}/rotate`, { graceSeconds: 0 })
  t.equal((await me(fresh.key)).status, 401, 'without grace the old secret is done with')
  t.equal((await me(unused.body.key as string)).status, 200)
  t.equal((await me(abrupt.body.key as string)).status, 200)
  isProblem(t, await call('POST', `/v1/api-keys/${old.id}/rotate`, { graceSeconds: -1 }), {
    status: 400,
    pointer: '/graceSeconds'
  })
})

t.test('a replay does not tell a secret again', async t => {
  const header = { 'idempotency-key': 'make' }
  const body = { name: 'once', scopes: [] }
  const made = await call('POST', '/v1/api-keys', body, header)
  t.equal(made.status, 201)
  isProblem(t, await call('POST', '/v1/api-keys', body, header), {
    status: 409,
    code: 'secret_already_shown'
  })
  const rotate = `/v1/api-keys/${made.body.apiKey.id}/rotate`
  const rotated = await call('POST', rotate, {}, { 'idempotency-key': 'rotate' })
  t.equal(rotated.status, 200)
  isProblem(t, await call('POST', rotate, {}, { 'idempotency-key': 'rotate' }), {
    status: 409,
    code: 'secret_already_shown'
  })
  t.equal((await me(rotated.body.key as string)).status, 200, 'the key told first is the one that counts')
  const mutation = 'mutation { createApiKey(input: { name: "g", scopes: [] }) { key } }'
  const first = await graphql(mutation, {}, { 'idempotency-key': 'graph' })
  t.match(first.body.data.createApiKey.key, /^kith_/)
  const again = await graphql(mutation, {}, { 'idempotency-key': 'graph' })
  t.match(again.body.errors, [{ extensions: { code: 'secret_already_shown' } }])
  const kept = await database.query(sql`select * from idempotency_keys`)
  for (const key of [made.body.key, rotated.body.key, first.body.data.createApiKey.key] as string[]) {
    t.notOk(JSON.stringify(kept).includes(key.slice(-43)), 'no secret is kept')
  }
})

t.test('a key bound to a user may do no more than the user', async t => {
  const viewer = await newUser('viewer')
  const { key } = await makeKey({ userId: viewer.id, scopes: ['admin'] })
  const { body } = await me(key)
  t.match(body, { actorType: 'key', user: { id: viewer.id } })
  t.notOk(body.scopes.some((s: string) => s === 'admin' || s.endsWith(':write')))
  t.equal((await call('POST', '/v1/contacts', {}, as(key))).status, 403)
  const writing = await makeKey({ userId: viewer.id, scopes: ['contacts:write', 'contacts:read'] })
  t.strictSame((await me(writing.key)).body.scopes, ['contacts:read'])
  const manager = await newUser('manager')
  const narrow = await makeKey({ userId: manager.id, scopes: ['contacts:write'] })
  t.match(await call('POST', '/v1/contacts', {}, as(narrow.key)), {
    status: 201,
    body: { ownerId: manager.id }
  })
  t.equal((await call('GET', '/v1/contacts', undefined, as(narrow.key))).status, 403)
  const unknown = await call('POST', '/v1/api-keys', { name: 'a', scopes: [], userId: workspaceId })
  isProblem(t, unknown, { status: 422, code: 'unknown_reference', pointer: '/userId' })
})

t.test('scopes of a key are well-formed', async t => {
  for (const scope of ['', '*', 'contacts', 'contacts:delete', 'ADMIN', 'admin ', 'a:read:b']) {
    const reply = await call('POST', '/v1/api-keys', { name: 'a', scopes: [scope] })
    isProblem(t, reply, { status: 400, pointer: '/scopes/0' }, '/v1/api-keys')
  }
  isProblem(t, await call('POST', '/v1/api-keys', { name: 'a' }), { status: 400, pointer: '/scopes' })
  const { id } = await makeKey({})
  isProblem(t, await call('PATCH', `/v1/api-keys/${id}`, { scopes: ['admin'] }), {
    status: 400,
    pointer: '/scopes'
  })
  isProblem(t, await call('PATCH', `/v1/api-keys/${id}`, { revokedAt: null }), {
    status: 400,
    pointer: '/revokedAt'
  })
})
