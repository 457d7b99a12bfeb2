import { setTimeout as sleep } from 'node:timers/promises'
import sql from 'sql-template-tag'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { as, identity, password } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'

const kith = await testApp(t)
const { call, graphql, database, workspaceId, newKey } = kith
const { newUser, makeKey, signIn, tokenOf, me } = identity(kith)

t.test('passwords', async t => {
  const user = await newUser('rep', { password })
  const [row] = await database.query(sql`select * from users where id = ${user.id}`)
  t.match(row!.password_hash, /^scrypt\$32768\$8\$3\$[\w-]+\$[\w-]+$/)
  t.notOk(JSON.stringify(row).includes(password))
  await call('PUT', `/v1/users/${user.id}/password`, { password: `${password} 2` })
  const [changed] = await database.query(sql`select password_hash from users where id = ${user.id}`)
  t.not(changed!.password_hash, row!.password_hash)
  const shown = await Promise.all([
    call('GET', '/v1/users'),
    call('GET', `/v1/users/${user.id}`),
    call('GET', `/v1/users/${user.id}/changes`),
    call('GET', `/v1/events?recordId=${user.id}`),
    graphql(`
      {
        users {
          nodes {
            id
            email
          }
        }
      }
    `)
  ])
  for (const { status, text } of shown) {
    t.equal(status, 200)
    t.notMatch(text, /scrypt|passwordHash|password_hash|battery/, 'no password, no hash')
  }
  t.match(shown[3]?.text, /user\.password_changed/, 'that it changed is known')
  t.equal((await signIn(user.email)).statusCode, 401, 'the old one is done with')
  t.equal((await signIn(user.email, `${password} 2`)).statusCode, 200)
  const short = await call('POST', '/v1/users', {
    email: 'a@b.cd',
    name: 'a',
    role: 'rep',
    password: 'short'
  })
  isProblem(t, short, { status: 400, pointer: '/password' })
  t.notMatch(short.text, /"short"/)
})

t.test('one sets the own password with the current one', async t => {
  const [user, other] = [await newUser('viewer', { password }), await newUser('viewer')]
  const token = as(tokenOf(user))
  const body = { password: 'another long one' }
  const at = `/v1/users/${user.id}/password`
  const wrong = { ...body, currentPassword: 'not that one' }
  isProblem(t, await call('PUT', at, wrong, token), { status: 422, pointer: '/currentPassword' }, at)
  isProblem(t, await call('PUT', at, body, token), { status: 422, pointer: '/currentPassword' }, at)
  isProblem(
    t,
    await call('PUT', `/v1/users/${other.id}/password`, { ...body, currentPassword: password }, token),
    { status: 404 }
  )
  t.equal((await call('PUT', at, { ...body, currentPassword: password }, token)).status, 204)
  t.equal((await signIn(user.email, body.password)).statusCode, 200)
})

t.test('another password under the same Idempotency-Key is another request', async t => {
  const user = await newUser('rep')
  const path = `/v1/users/${user.id}/password`
  const key = { 'idempotency-key': 'set-password' }
  const [one, other] = [{ password: 'b'.repeat(12) }, { password: 'c'.repeat(12) }]
  t.equal((await call('PUT', path, one, key)).status, 204)
  const again = await call('PUT', path, one, key)
  t.match(again, { status: 204, headers: { 'idempotency-replayed': 'true' } })
  t.match(await call('PUT', path, other, key), { status: 422, body: { code: 'idempotency_mismatch' } })
  t.equal((await signIn(user.email, one.password)).statusCode, 200)
  const batch = { 'idempotency-key': 'batch-of-passwords' }
  const users = (password: string) => ({
    operations: [{ op: 'create', body: { name: 'a', email: 'batch@example.com', password } }]
  })
  t.equal((await call('POST', '/v1/users/batch', users(one.password), batch)).status, 200)
  t.equal((await call('POST', '/v1/users/batch', users(other.password), batch)).status, 422)
})

t.test('signing in', async t => {
  const user = await newUser('rep', { password })
  await newUser('rep', { email: 'nopassword@example.com' })
  const right = await signIn(user.email.toUpperCase())
  t.match(right.json(), { accessToken: /^ey/, tokenType: 'Bearer', expiresIn: 3600 })
  t.match((await me(right.json<{ accessToken: string }>().accessToken)).body, {
    actorType: 'user',
    actorId: user.id,
    user: { email: user.email }
  })
  const wrong: [string, string, string][] = [
    [user.email, 'wrong password', workspaceId],
    ['nobody@example.com', password, workspaceId],
    ['nopassword@example.com', password, workspaceId],
    [user.email, password, 'no such workspace'],
    [user.email, password, '01890000-0000-7000-8000-000000000000'],
    [user.email, password, "' or 1=1 --"]
  ]
  const answers = new Set<string>()
  const times: number[] = []
  for (const [email, secret, workspace] of wrong) {
    const start = performance.now()
    const reply = await signIn(email, secret, workspace)
    times.push(performance.now() - start)
    t.match(reply, { statusCode: 401, headers: { 'www-authenticate': /^Bearer/ } })
    answers.add(JSON.stringify({ ...reply.json<object>(), requestId: '' }))
  }
  t.equal(answers.size, 1, 'one answer for all')
  t.ok(
    Math.min(...times) > Math.max(...times) / 10,
    `about as long for all: ${times.map(Math.round).join(', ')} ms`
  )
  const payload = { workspace: workspaceId, email: user.email, password }
  const keyed = await call('POST', '/v1/auth/token', payload, { 'idempotency-key': 'a' })
  isProblem(t, keyed, { status: 400, in: 'header', parameter: 'Idempotency-Key' }, '/v1/auth/token')
})

t.test('what is taken away stops within five seconds', async t => {
  const users = await Promise.all(['rep', 'rep', 'admin'].map(role => newUser(role, { password })))
  const [inactive, deleted, demoted] = users as [(typeof users)[0], (typeof users)[0], (typeof users)[0]]
  const [revoked, bound, expiring] = await Promise.all([
    makeKey({}),
    makeKey({ userId: deleted.id }),
    makeKey({ expiresAt: new Date(Date.now() + 3000).toISOString() })
  ])
  const tokens = users.map(user => tokenOf(user))
  const all = [...tokens, revoked.key, bound.key, expiring.key]
  for (const token of all) t.equal((await me(token)).status, 200)
  t.match(await call('POST', `/v1/api-keys/${revoked.id}/revoke`), {
    status: 200,
    body: { revokedAt: /^20/ }
  })
  t.equal((await call('PATCH', `/v1/users/${inactive.id}`, { active: false })).status, 200)
  t.equal((await call('DELETE', `/v1/users/${deleted.id}`)).status, 204)
  t.equal((await call('PATCH', `/v1/users/${demoted.id}`, { role: 'viewer' })).status, 200)
  await sleep(5100)
  for (const token of [tokens[0]!, tokens[1]!, revoked.key, bound.key, expiring.key]) {
    isProblem(t, await me(token), { status: 401, code: 'unauthenticated' })
  }
  t.notOk((await me(tokens[2]!)).body.scopes.includes('admin'), 'a lower role counts')
  t.equal((await signIn(inactive.email)).statusCode, 401)
  t.equal((await signIn(deleted.email)).statusCode, 401)
  t.equal(
    (await call('POST', `/v1/api-keys/${revoked.id}/rotate`, {})).status,
    422,
    'a revoked key stays revoked'
  )
  t.match((await call('GET', '/v1/api-keys?limit=200')).text, revoked.id, 'and listed')
})

t.test('the workspace', async t => {
  const { body } = await call('GET', '/v1/workspace')
  t.match(body, { id: workspaceId, name: 'test', timeZone: 'UTC', baseCurrency: 'EUR', version: 1 })
  const patch = { timeZone: 'Asia/Dhaka', baseCurrency: 'BDT', fiscalYearStart: '07-01', locale: 'bn' }
  const changed = await call('PATCH', '/v1/workspace', patch, { 'if-match': '"1"' })
  t.match(changed, { status: 200, headers: { etag: '"2"' }, body: patch })
  t.equal((await call('PATCH', '/v1/workspace', patch, { 'if-match': '"1"' })).status, 412)
  for (const [field, value] of Object.entries({
    timeZone: 'X',
    baseCurrency: 'eur',
    fiscalYearStart: '02-30',
    locale: '?',
    name: ''
  })) {
    isProblem(t, await call('PATCH', '/v1/workspace', { [field]: value }), {
      status: 400,
      pointer: `/${field}`
    })
  }
  const reader = await newKey(['contacts:read'])
  t.equal((await call('GET', '/v1/workspace', undefined, as(reader))).status, 200)
  t.equal((await call('PATCH', '/v1/workspace', { name: 'mine' }, as(reader))).status, 403)
})
