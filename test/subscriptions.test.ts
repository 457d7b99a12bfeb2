import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { createClient, type Client } from 'graphql-ws'
import { WebSocket } from 'ws'
import { jwtSecret, testApp } from './helpers/app.js'
import { eventually, feed, listening, sender, times } from './helpers/http.js'
import { identity } from './helpers/identity.js'
import { kith } from './helpers/program.js'

interface Told {
  sequence: string
  type: string
  recordId: string
}

const app = await testApp(t)
const send = await listening(app)
const url = `ws://127.0.0.1:${(app.app.server.address() as { port: number }).port}/graphql`

function client(t: Test, token: string): Client {
  const made = createClient({
    url,
    webSocketImpl: WebSocket,
    lazy: true,
    retryAttempts: 0,
    connectionParams: { authorization: `Bearer ${token}` }
  })
  t.teardown(() => made.dispose())
  return made
}

const made = async (name: string) => String((await send('POST', '/v1/contacts', { firstName: name })).body.id)
const head = async () => String((await send('GET', '/v1/events?limit=1000')).body.page.nextCursor)

/** Collects what a subscription tells until it ends; `errors` are those of its results. */
function subscribed(from: Client, query: string) {
  const told: Told[] = []
  const errors: unknown[] = []
  const ended = (async () => {
    for await (const result of from.iterate<{ events: Told }>({ query })) {
      if (result.errors) errors.push(...result.errors)
      if (result.data) told.push(result.data.events)
    }
  })()
  ended.catch(() => undefined)
  return { told, errors, ended }
}

t.test('a subscription tells every event once, in order, from a position on', async t => {
  const after = await head()
  const ids = await times(3, n => made(`before ${n}`))
  const { told } = subscribed(
    client(t, app.key),
    `subscription { events(after: "${after}", types: "contact.*") { sequence type recordId } }`
  )
  await eventually('what was before', () => (told.length >= 3 ? true : undefined))
  ids.push(await made('during'))
  await send('PATCH', `/v1/contacts/${ids[3]}`, { lastName: 'Changed' })
  await eventually('what came later', () => (told.length >= 5 ? true : undefined))
  const expected = (await feed(send, '&types=contact.*', after)).map(({ sequence, type, recordId }) => ({
    sequence,
    type,
    recordId
  }))
  t.same(told, expected)
  t.equal(new Set(told.map(e => e.sequence)).size, told.length)

  const resumed = subscribed(
    client(t, app.key),
    `subscription { events(after: "${told[1]!.sequence}", types: "contact.*") { sequence type recordId } }`
  )
  await eventually('the rest', () => (resumed.told.length >= 3 ? true : undefined))
  t.same(resumed.told, expected.slice(2), 'a client that comes back misses none')
})

t.test('readers are told of what another process wrote, by key or token', async t => {
  const env = { DATABASE_URL: app.url, JWT_SECRET: jwtSecret, ROLE: 'api' }
  const other = sender(await kith(t, ['serve'], env).origin(), app.key)
  const { newUser, tokenOf } = identity(app)
  const after = await head()
  const query = `subscription { events(after: "${after}", types: "contact.*") { sequence type recordId } }`
  const readers = [app.key, tokenOf(await newUser('admin'))].map(token => subscribed(client(t, token), query))
  const waiting = send('GET', `/v1/events?after=${after}&types=contact.*&wait=30`)
  const { body } = await other('POST', '/v1/contacts', { firstName: 'From elsewhere' })
  const began = Date.now()
  await eventually('both', () => readers.every(r => r.told.length > 0) || undefined)
  const id = body.id as string
  t.same(readers.map(r => r.told.map(e => e.recordId)), [[id], [id]]) // prettier-ignore
  t.equal((await waiting).body.data[0].recordId, id, 'and a page that waits comes')
  t.ok(Date.now() - began < 15_000, 'before its time is over')
})

t.test('a subscription is checked before it begins and ends with its credential', async t => {
  const wrong = subscribed(client(t, app.key), 'subscription { events(types: "contract.*") { type } }')
  await wrong.ended.catch(() => undefined)
  t.match(JSON.stringify(wrong.errors), /is not a type of events/)
  const long = `${'*'.repeat(200)}!`
  const page = await app.graphql(`{ events(types: "${long}") { data { type } } }`)
  t.match(page.body.errors, [{ extensions: { errors: [{ pointer: '/types', code: 'unknown_type' }] } }])
  const blind = subscribed(client(t, await app.newKey(['contacts:read'])), 'subscription { events { type } }')
  await blind.ended.catch(() => undefined)
  t.match(JSON.stringify(blind.errors), /events:read/)

  const created = await send('POST', '/v1/api-keys', {
    name: 'reader',
    scopes: ['events:read', 'contacts:read']
  })
  const { key, apiKey } = created.body as { key: string; apiKey: { id: string } }
  const after = await head()
  const reading = subscribed(
    client(t, key),
    `subscription { events(after: "${after}") { sequence type recordId } }`
  )
  await made('seen')
  await eventually('the first', () => (reading.told.length > 0 ? true : undefined))
  t.same(reading.told.map(e => e.type), ['contact.created'], 'only what its scopes let it read') // prettier-ignore
  const seen = await head()
  const asReader = { authorization: `Bearer ${key}` }
  const wait = `wait: 30, types: "contact.*"`
  const waiting = [
    app.call('GET', `/v1/events?after=${seen}&wait=30&types=contact.*`, undefined, asReader),
    app.graphql(`{ events(after: "${seen}", ${wait}) { data { id } } }`, {}, asReader)
  ]
  await sleep(200)
  await send('POST', `/v1/api-keys/${apiKey.id}/revoke`)
  await sleep(5200)
  await made('not seen')
  await reading.ended.catch(() => undefined)
  t.equal(reading.told.length, 1)
  const [late, graph] = await Promise.all(waiting)
  t.match(late, { status: 401, body: { code: 'unauthenticated' } }, 'nor does a page that waited tell it')
  t.match(graph!.body, { data: null, errors: [{ extensions: { code: 'unauthenticated' } }] })
})

t.test('a subscription over HTTP is refused', async t => {
  const { body } = await app.graphql('subscription { events { type } }')
  t.match(body.errors[0], { message: /WebSocket/, extensions: { code: 'bad_request' } })
  const query = encodeURIComponent('subscription { events { type } }')
  const got = await app.call('GET', `/graphql?query=${query}`)
  t.match(got.body.errors[0], { message: /WebSocket/, extensions: { code: 'bad_request' } })
})
