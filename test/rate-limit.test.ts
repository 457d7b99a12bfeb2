import t, { type Test } from 'tap'
import { testApp } from './helpers/app.js'
import { as, identity } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'

/** The members of `"default";r=2;t=60`. */
const limit = (header: unknown) =>
  Object.fromEntries(
    [...String(header).matchAll(/;(\w)=(\d+)/g)].map(([, name, value]) => [name, Number(value)])
  )

const limited = (t: Test, perMinute: number, env: Record<string, string> = {}) =>
  testApp(t, { RATE_LIMIT: String(perMinute), ...env })

t.test('a credential', async t => {
  const { call, newKey } = await limited(t, 3)
  const other = as(await newKey())
  for (const left of [2, 1, 0]) {
    const { status, headers } = await call('GET', '/v1/contacts')
    t.equal(status, 200)
    t.equal(headers['ratelimit-policy'], '"default";q=3;w=60')
    t.match(headers.ratelimit, /^"default";r=\d+;t=\d+$/)
    t.equal(limit(headers.ratelimit).r, left)
    t.ok(limit(headers.ratelimit).t! > 50)
  }
  const { status, headers, body } = await call('POST', '/v1/contacts', { firstName: 'not' })
  isProblem(t, { status, headers, body, text: JSON.stringify(body) }, { status: 429, code: 'rate_limited' })
  t.equal(headers['retry-after'], String(limit(headers.ratelimit).t))
  t.equal(limit(headers.ratelimit).r, 0)
  t.match(
    await call('POST', '/graphql', { query: '{ me { actorType } }' }),
    { status: 429 },
    'on any surface'
  )
  const answer = await call('GET', '/v1/contacts?count=true', undefined, other)
  t.match(answer, { status: 200, body: { page: { totalCount: 0 } } }, 'another credential has its own')
})

t.test('a person has one limit, whatever the token', async t => {
  const app = await limited(t, 2)
  const { newUser, tokenOf, me } = identity(app)
  const person = await newUser('rep')
  t.equal((await me(tokenOf(person))).status, 200)
  t.equal((await me(tokenOf(person, { nonce: 1 }))).status, 200)
  t.equal((await me(tokenOf(person, { nonce: 2 }))).status, 429)
})

t.test('those without a credential are told apart by address', async t => {
  const { app, call } = await limited(t, 2)
  const from = (remoteAddress: string, url: string, headers = {}) =>
    app.inject({ url, remoteAddress, headers })
  t.equal((await from('192.0.2.1', '/v1/me')).statusCode, 401)
  const wrong = await from('192.0.2.1', '/v1/me', as('kith_x_y'))
  t.equal(wrong.statusCode, 401)
  t.equal(limit(wrong.headers.ratelimit).r, 0, 'a wrong credential counts for its address')
  for (const url of ['/v1/me', '/openapi.json', '/nothing/here'])
    t.equal((await from('192.0.2.1', url)).statusCode, 429, url)
  t.equal((await from('192.0.2.2', '/openapi.json')).statusCode, 200, 'another address')
  t.equal((await call('GET', '/v1/me')).status, 200, 'a credential at the same address')
  for (const url of ['/healthz', '/readyz', '/healthz']) {
    const { statusCode, headers } = await from('192.0.2.1', url)
    t.match({ statusCode, ratelimit: headers.ratelimit }, { statusCode: 200, ratelimit: undefined }, url)
  }
  t.equal((await from('2001:db8::1', '/openapi.json')).statusCode, 200)
  t.equal((await from('2001:db8::2', '/openapi.json')).statusCode, 200)
  t.equal((await from('2001:db8::3', '/openapi.json')).statusCode, 429, 'a network of IPv6 is one address')
})

t.test('behind a proxy', async t => {
  const forwarded = (address: string) => ({ url: '/openapi.json', headers: { 'x-forwarded-for': address } })
  const { app } = await limited(t, 1, { TRUST_PROXY: 'loopback' })
  t.equal((await app.inject(forwarded('192.0.2.1'))).statusCode, 200)
  t.equal((await app.inject(forwarded('192.0.2.2'))).statusCode, 200)
  t.equal((await app.inject(forwarded('192.0.2.1'))).statusCode, 429)
  const direct = await limited(t, 1)
  t.equal((await direct.app.inject(forwarded('192.0.2.1'))).statusCode, 200)
  t.equal(
    (await direct.app.inject(forwarded('192.0.2.2'))).statusCode,
    429,
    'not believed without the setting'
  )
})

t.test('guessing a password', async t => {
  const app = await limited(t, 1000)
  const { newUser, signIn } = identity(app)
  const person = await newUser('rep', { password: 'correct horse battery' })
  const right = await signIn(person.email)
  t.equal(right.statusCode, 200)
  t.equal(right.headers['ratelimit-policy'], '"default";q=1000;w=60, "sign-in";q=10;w=60')
  t.match(right.headers.ratelimit, /^"default";r=\d+;t=\d+, "sign-in";r=9;t=60$/)
  for (let guess = 0; guess < 9; guess++) {
    const wrong = await signIn(` ${person.email.toUpperCase()}`, `guess ${guess}`)
    t.ok([400, 401].includes(wrong.statusCode))
  }
  const refused = await signIn(person.email)
  t.equal(refused.statusCode, 429, 'also with the right one')
  t.equal(refused.json().code, 'rate_limited')
  t.match(refused.headers['retry-after'], /^\d+$/)
  t.equal((await signIn('another@example.com', 'x')).statusCode, 401, 'another address is asked')
  const elsewhere = await app.app.inject({
    method: 'POST',
    url: '/v1/auth/token',
    remoteAddress: '192.0.2.7',
    payload: { workspace: app.workspaceId, email: person.email, password: 'correct horse battery' }
  })
  t.equal(elsewhere.statusCode, 200, 'nobody is locked out by others')
})

t.test('switched off', async t => {
  const { call } = await limited(t, 0)
  const { status, headers } = await call('GET', '/v1/me')
  t.match({ status, ratelimit: headers.ratelimit }, { status: 200, ratelimit: undefined })
})
