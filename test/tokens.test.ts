import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, type CryptoKey, type JWTPayload } from 'jose'
import t, { type Test } from 'tap'
import { jwtSecret, testApp } from './helpers/app.js'
import { as, identity } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'

const [rsa, ec, stranger] = await Promise.all([
  generateKeyPair('RS256', { extractable: true }),
  generateKeyPair('ES256'),
  generateKeyPair('RS256')
])
const published = [
  { ...(await exportJWK(rsa.publicKey)), kid: 'rsa', alg: 'RS256', use: 'sig' },
  { ...(await exportJWK(ec.publicKey)), kid: 'ec', alg: 'ES256', use: 'sig' }
]

type Answer = (response: ServerResponse) => void
const keys: Answer = response => response.end(JSON.stringify({ keys: published }))
let answer = keys
const provider = createServer((_request, response) => answer(response))
await once(provider.listen(0, '127.0.0.1'), 'listening')
const issuer = `http://127.0.0.1:${(provider.address() as AddressInfo).port}`

const kith = await testApp(t, {
  JWT_JWKS_URL: `${issuer}/keys?tenant=1`,
  JWT_ISSUER: issuer,
  JWT_AUDIENCE: 'kith'
})
const { call, workspaceId, newWorkspace } = kith
const { newUser, tokenOf, me } = identity(kith)
t.teardown(() => {
  provider.closeAllConnections()
  provider.close()
})

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const secret = (text: string) => new TextEncoder().encode(text)
const now = () => Math.floor(Date.now() / 1000)

const sign = (
  claims: JWTPayload,
  key: CryptoKey | Uint8Array,
  header: { alg: string; [name: string]: unknown }
) => new SignJWT(claims).setProtectedHeader(header).sign(key)

async function refused(t: Test, name: string, token: string) {
  await t.test(name, async t => {
    const reply = await me(token)
    isProblem(t, reply, { status: 401, code: 'unauthenticated' }, '/v1/me')
    t.match(reply.headers['www-authenticate'], /^Bearer/)
  })
}

t.test('tokens of our own', async t => {
  const user = await newUser('rep')
  const claims = { workspace: workspaceId, sub: user.id, exp: now() + 60 }
  const ours = secret(jwtSecret)
  const good = await sign(claims, ours, { alg: 'HS256' })
  t.match((await me(good)).body, { actorType: 'user', actorId: user.id, workspaceId })
  const [head, payload, signature] = good.split('.') as [string, string, string]
  const other = await newWorkspace('other')
  const make = (changed: object, alg = 'HS256', key: Uint8Array = ours) =>
    sign({ ...claims, ...changed }, key, { alg })
  const bad: Record<string, string | Promise<string>> = {
    'alg none': `${encode({ alg: 'none' })}.${payload}.`,
    'alg none with a signature': `${encode({ alg: 'none' })}.${payload}.${signature}`,
    'alg nOnE': `${encode({ alg: 'nOnE' })}.${payload}.`,
    'no alg': `${encode({})}.${payload}.${signature}`,
    'no signature': `${head}.${payload}.`,
    'two parts': `${head}.${payload}`,
    'a header of null': `${encode(null)}.${payload}.${signature}`,
    'a changed payload': `${head}.${encode({ ...claims, sub: other })}.${signature}`,
    'a changed signature': `${head}.${payload}.${signature.slice(0, -2)}AA`,
    'another key': make({}, 'HS256', secret('another-secret-of-more-than-32-characters')),
    'an empty key in the header': `${encode({ alg: 'HS256', jwk: { kty: 'oct', k: '' } })}.${payload}.${signature}`,
    HS384: make({}, 'HS384'),
    HS512: make({}, 'HS512'),
    expired: make({ exp: now() - 1 }),
    'no exp': make({ exp: undefined }),
    'not yet valid': make({ nbf: now() + 60 }),
    'no sub': make({ sub: undefined }),
    'no workspace': make({ workspace: undefined }),
    'a workspace that is a list': make({ workspace: [workspaceId] }),
    'a workspace by name': make({ workspace: 'test' }),
    "another tenant's workspace": make({ workspace: other }),
    'a sub that is no id': make({ sub: "' or 1=1" }),
    nobody: make({ sub: workspaceId })
  }
  for (const [name, token] of Object.entries(bad)) await refused(t, name, await token)
})

t.test('scopes come from the role, never from the token', async t => {
  const viewer = await newUser('viewer')
  const token = tokenOf(viewer, { scopes: ['admin'], scope: 'admin', role: 'admin', admin: true })
  t.equal((await call('POST', '/v1/contacts', {}, as(token))).status, 403)
})

t.test('a token works until it expires', async t => {
  const user = await newUser('rep')
  const exp = now() + 2
  const token = await sign({ workspace: workspaceId, sub: user.id, exp }, secret(jwtSecret), { alg: 'HS256' })
  t.equal((await me(token)).status, 200)
  await sleep(exp * 1000 - Date.now() + 50)
  await refused(t, 'though it is remembered', token)
})

t.test("an identity provider's tokens", async t => {
  const user = await newUser('manager', { externalSubject: 'auth0|4711' })
  const claims = { workspace: workspaceId, sub: 'auth0|4711', iss: issuer, aud: 'kith', exp: now() + 60 }
  const make = (changed: object, header: object = {}, key: CryptoKey | Uint8Array = rsa.privateKey) =>
    sign({ ...claims, ...changed }, key, { alg: 'RS256', kid: 'rsa', ...header })
  t.match((await me(await make({}))).body, { actorType: 'user', actorId: user.id })
  t.match((await me(await make({ aud: ['x', 'kith'] }))).body, { actorId: user.id })
  t.match((await me(await make({}, { alg: 'ES256', kid: 'ec' }, ec.privateKey))).body, { actorId: user.id })
  const pem = await exportSPKI(rsa.publicKey)
  const der = Buffer.from(pem.replace(/-----.*-----|\n/g, ''), 'base64')
  const other = await newWorkspace('another')
  const bad: Record<string, Promise<string>> = {
    'HS256 with the public key': make({}, { alg: 'HS256' }, secret(pem)),
    'HS256 with the trimmed public key': make({}, { alg: 'HS256' }, secret(pem.trim())),
    'HS256 with its bytes': make({}, { alg: 'HS256' }, der),
    'HS256 with our secret for their subject': make({}, { alg: 'HS256' }, secret(jwtSecret)),
    "a stranger's key": make({}, {}, stranger.privateKey),
    'a key in the header': exportJWK(stranger.publicKey).then(jwk => make({}, { jwk }, stranger.privateKey)),
    'an unknown kid': make({}, { kid: 'nope' }),
    'no kid': make({}, { kid: undefined }),
    "another key's kid": make({}, { kid: 'ec' }),
    'a path as kid': make({}, { kid: '../../etc/passwd' }),
    'another issuer': make({ iss: 'https://evil.example' }),
    'no issuer': make({ iss: undefined }),
    'another audience': make({ aud: 'other' }),
    'no audience': make({ aud: undefined }),
    expired: make({ exp: now() - 1 }),
    'no exp': make({ exp: undefined }),
    'an unknown subject': make({ sub: 'auth0|0' }),
    'our own id as subject': make({ sub: user.id }),
    'NUL in the subject': make({ sub: 'auth0|4711\0' }),
    "another tenant's workspace": make({ workspace: other })
  }
  for (const [name, token] of Object.entries(bad)) await refused(t, name, await token)
  const [head, payload, signature] = (await make({})).split('.') as [string, string, string]
  await refused(t, 'a changed payload', `${head}.${encode({ ...claims, sub: 'auth0|1' })}.${signature}`)
  await refused(t, 'alg none', `${encode({ alg: 'none', kid: 'rsa' })}.${payload}.`)
})

t.test('an identity provider that is away', async t => {
  await newUser('rep', { externalSubject: 'away' })
  const claims = { workspace: workspaceId, sub: 'away', iss: issuer, aud: 'kith', exp: now() + 60 }
  let kids = 0
  const token = () => sign(claims, rsa.privateKey, { alg: 'RS256', kid: `new-${++kids}` })
  const answers: Record<string, Answer> = {
    'an error': response => response.writeHead(500).end('{"error":"<stack>"}'),
    'a page': response => response.end('<html>'),
    nothing: response => response.socket?.destroy()
  }
  for (const [name, given] of Object.entries(answers)) {
    answer = given
    await t.test(name, async t => {
      const reply = await me(await token())
      isProblem(t, reply, { status: 503, code: 'unavailable' }, '/v1/me')
      t.equal(reply.headers['retry-after'], '1')
    })
  }
  answer = response => response.end('{"keys":[]}')
  await refused(t, 'no keys', await token())
  answer = () => undefined
  const good = await sign(claims, rsa.privateKey, { alg: 'RS256', kid: 'rsa' })
  t.equal((await me(good)).status, 200, 'a key that is known works on')
  isProblem(t, await me(await token()), { status: 503, code: 'unavailable' })
  provider.closeAllConnections()
  answer = keys
  published.push({ ...published[0]!, kid: 'rotated' })
  const rotated = await sign(claims, rsa.privateKey, { alg: 'RS256', kid: 'rotated' })
  t.equal((await me(rotated)).status, 200, 'and it comes back')
})
