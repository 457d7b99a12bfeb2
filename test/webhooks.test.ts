import { createHmac } from 'node:crypto'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { Webhook } from 'standardwebhooks'
import { Webhook as Svix } from 'svix'
import t, { type Test } from 'tap'
import { eventually } from './helpers/http.js'
import { identity } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'
import { receiver, type Received } from './helpers/receiver.js'
import { webhookWorld } from './helpers/webhooks.js'

const world = await webhookWorld(t)
const { call, graphql, made, shows, newKey, newWorkspace, created, settled } = world
const endpoint = await receiver(t)

const as = (key: string) => ({ authorization: `Bearer ${key}` })
const types = (path: string) => endpoint.at(path).map(r => r.event.type as string)
const arrived = (path: string, count: number) =>
  eventually(`${count} requests to ${path}`, () =>
    endpoint.at(path).length >= count ? endpoint.at(path) : undefined
  )

function headersOf({ headers }: Received): Record<string, string> {
  return {
    'webhook-id': String(headers['webhook-id']),
    'webhook-timestamp': String(headers['webhook-timestamp']),
    'webhook-signature': String(headers['webhook-signature'])
  }
}

function verified(t: Test, got: Received, secret: string): void {
  const headers = headersOf(got)
  t.same(new Webhook(secret).verify(got.raw, headers), got.event, 'standardwebhooks verifies it')
  t.same(new Svix(secret).verify(got.raw, headers), got.event, 'svix verifies it')
  const text = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${got.raw}`
  const hand = createHmac('sha256', Buffer.from(secret.slice(6), 'base64'))
    .update(text)
    .digest('base64')
  t.ok(headers['webhook-signature']!.split(' ').includes(`v1,${hand}`), 'and so does a plain HMAC')
  t.throws(() => new Svix(secret).verify(`${got.raw} `, headers), 'other bytes are refused')
}

t.test('a change arrives signed, and is the event of the feed', async t => {
  const { id, secret, reply } = await made({ url: `${endpoint.url}/first`, types: ['contact.*'] })
  t.match(secret, /^whsec_[A-Za-z0-9+/]{32}$/)
  t.match(reply.body.webhook, { status: 'active', enabled: true, payload: 'full', credentialType: 'key' })
  const contact = await created('contacts', { firstName: 'Rumi' })
  await call('PATCH', `/v1/contacts/${contact}`, { lastName: 'Khan' })
  await call('DELETE', `/v1/contacts/${contact}`)
  const got = await arrived('/first', 3)
  t.same(types('/first'), ['contact.created', 'contact.updated', 'contact.deleted'])
  const { body } = await call('GET', `/v1/events?recordId=${contact}`)
  t.same(
    got.map(r => r.event),
    body.data
  )
  for (const request of got) {
    t.equal(request.headers['webhook-id'], request.event.id)
    t.equal(request.headers['content-type'], 'application/json')
    verified(t, request, secret)
  }
  await settled()
  const shown = await shows(id, 'the success', w => w.lastDeliveredAt && !w.oldestUndeliveredAt)
  t.match(shown, { status: 'active', consecutiveFailures: 0, oldestUndeliveredAt: null, version: 1 })

  const log = await call('GET', `/v1/webhooks/${id}/deliveries`)
  t.same(
    log.body.data.map((d: { type: string; status: string }) => [d.type, d.status]),
    [
      ['contact.deleted', 'delivered'],
      ['contact.updated', 'delivered'],
      ['contact.created', 'delivered']
    ]
  )
  const one = await call('GET', `/v1/webhooks/${id}/deliveries/${got[0]!.event.id}`)
  t.match(one.body, { attempts: 1, lastStatus: 200, log: [{ number: 1, responseStatus: 200, error: null }] })
  t.equal(one.body.log[0].requestHeaders['webhook-id'], got[0]!.event.id)
  t.ok(one.body.log[0].durationMs >= 0)
  const page = await call('GET', `/v1/webhooks/${id}/deliveries?limit=2`)
  t.equal(page.body.page.hasMore, true)
  const rest = await call('GET', `/v1/webhooks/${id}/deliveries?limit=2&after=${page.body.page.nextCursor}`)
  t.same([...page.body.data, ...rest.body.data], log.body.data, 'the log pages')
  t.same((await call('GET', `/v1/webhooks/${id}/deliveries?status=failed`)).body.data, [])

  const graph = await graphql(
    'query($id: ID!) { webhook(id: $id) { status types } webhookDeliveries(id: $id, limit: 1) { data { type lastStatus } } }',
    { id }
  )
  t.same(graph.body.data, {
    webhook: { status: 'ACTIVE', types: ['contact.*'] },
    webhookDeliveries: { data: [{ type: 'contact.deleted', lastStatus: 200 }] }
  })
  t.equal((await call('DELETE', `/v1/webhooks/${id}`)).status, 204)
})

t.test('a secret is told once, and two are live while it is rotated', async t => {
  const key = { 'idempotency-key': 'webhook' }
  const body = { url: `${endpoint.url}/rotated`, types: ['product.*'] }
  const { id, secret } = await made(body, key)
  isProblem(t, await call('POST', '/v1/webhooks', body, key), { status: 409, code: 'secret_already_shown' })
  const rotated = await call('POST', `/v1/webhooks/${id}/rotate`, { graceSeconds: 60 })
  t.match(rotated, { status: 200, body: { webhook: { id, version: 2, previousSecretExpiresAt: /Z$/ } } })
  const next = rotated.body.secret as string
  t.not(next, secret)
  await created('products', { name: 'Chair' })
  const [both] = await arrived('/rotated', 1)
  verified(t, both!, secret)
  verified(t, both!, next)
  const mutation =
    'mutation($id: ID!) { rotateWebhookSecret(input: { id: $id }) { webhook { version } secret } }'
  const last = (await graphql(mutation, { id })).body.data.rotateWebhookSecret
  t.equal(last.webhook.version, 3)
  await created('products', { name: 'Table' })
  const only = (await arrived('/rotated', 2))[1]!
  verified(t, only, last.secret as string)
  t.throws(
    () => new Webhook(next).verify(only.raw, headersOf(only)),
    'without grace the old one signs no more'
  )
  const everywhere = await Promise.all([
    call('GET', `/v1/webhooks/${id}`),
    call('GET', `/v1/webhooks/${id}/changes`),
    call('GET', '/v1/events?types=webhook.*&limit=1000'),
    call('GET', `/v1/webhooks/${id}/deliveries`)
  ])
  for (const { text } of everywhere)
    t.notOk([secret, next, last.secret].some(s => text.includes(s as string)))
  t.same((await call('GET', `/v1/events?recordId=${id}`)).body.data.map((e: { type: string }) => e.type), ['webhook.created', 'webhook.secret_rotated', 'webhook.secret_rotated']) // prettier-ignore
  await call('DELETE', `/v1/webhooks/${id}`)
})

t.test('an endpoint gets what its credential may read, by now', async t => {
  const scopes = ['webhooks:read', 'webhooks:write', 'contacts:read', 'contacts:write', 'companies:read']
  const key = await newKey(scopes)
  const { id } = await made({ url: `${endpoint.url}/scoped` }, as(key))
  t.match((await call('GET', `/v1/webhooks/${id}`)).body, { scopes: [...scopes].sort(), types: ['*'] })
  const refused = await call('POST', '/v1/webhooks', { url: endpoint.url, types: ['deal.*'] }, as(key))
  isProblem(t, refused, { status: 403, code: 'forbidden', says: /deals:read/ })
  const poor = await newKey(['webhooks:read', 'webhooks:write'])
  const taken = await call('PATCH', `/v1/webhooks/${id}`, { url: `${endpoint.url}/taken` }, as(poor))
  isProblem(t, taken, { status: 403, code: 'forbidden', says: /companies:read/ })
  isProblem(t, await call('POST', `/v1/webhooks/${id}/rotate`, {}, as(poor)), { status: 403 })
  isProblem(t, await call('POST', `/v1/webhooks/${id}/test`, undefined, as(poor)), { status: 403 })

  await created('products', { name: 'Invisible' })
  await created('contacts', { firstName: 'Visible' })
  await arrived('/scoped', 1)
  await settled()
  const own = types('/scoped')
  t.notOk(
    own.some(type => !/^(contact|company|webhook)\./.test(type)),
    own.join()
  )
  t.ok(own.includes('contact.created'))

  const keyId = (await call('GET', `/v1/webhooks/${id}`)).body.credentialId as string
  await call('POST', `/v1/api-keys/${keyId}/revoke`)
  await created('contacts', { firstName: 'Too late' })
  const gone = await shows(id, 'the revoked owner', w => w.status === 'disabled')
  t.match(gone, { enabled: false, statusReason: 'credential_gone' })
  const events = await call('GET', `/v1/events?recordId=${id}&types=webhook.disabled`)
  t.equal(events.body.data.length, 1, 'the workspace is told')
  t.notOk(endpoint.at('/scoped').some(r => r.event.data?.firstName === 'Too late'))
})

t.test('an endpoint ends with the view of all records that its owner had', async t => {
  const { newUser, tokenOf } = identity(world)
  const user = await newUser('admin')
  const { id } = await made({ url: `${endpoint.url}/demoted` }, as(tokenOf(user)))
  t.match((await call('GET', `/v1/webhooks/${id}`)).body, { credentialType: 'user', credentialId: user.id })
  await call('PATCH', `/v1/users/${user.id}`, { role: 'rep' })
  const gone = await shows(id, 'the demoted owner', w => w.status === 'disabled')
  t.match(gone, { enabled: false, statusReason: 'credential_gone' })
  const contact = await created('contacts', { firstName: 'Not theirs' })
  await settled()
  t.notOk(endpoint.at('/demoted').some(r => r.event.recordId === contact))
})

t.test('changes of the own key are left out where asked for', async t => {
  const key = await newKey(['admin'])
  await made({ url: `${endpoint.url}/others`, types: ['contact.*'], skipOwn: true }, as(key))
  await created('contacts', { firstName: 'own' }, as(key))
  await created('contacts', { firstName: 'other' })
  const got = await arrived('/others', 1)
  await settled()
  t.same(
    got.map(r => r.event.data.firstName),
    ['other']
  )
})

t.test('nothing crosses workspaces', async t => {
  const other = await newWorkspace('other')
  const key = as(await newKey(['admin'], other))
  const theirs = await made({ url: `${endpoint.url}/foreign` }, key)
  await created('contacts', { firstName: 'ours' })
  await created('contacts', { firstName: 'theirs' }, key)
  await eventually('their event', () => endpoint.at('/foreign').some(r => r.event.type === 'contact.created') || undefined) // prettier-ignore
  await settled()
  const names = endpoint.at('/foreign').map(r => r.event.data.firstName as string)
  t.notOk(names.includes('ours'))
  const paths: [string, string][] = [
    ['GET', ''],
    ['GET', '/deliveries'],
    ['POST', '/test'],
    ['POST', '/resume'],
    ['POST', '/rotate'],
    ['POST', '/resend']
  ]
  for (const [method, path] of paths) {
    const body = path === '/rotate' ? {} : path === '/resend' ? { from: '1' } : undefined
    const unknown = '019b4c1a-3c00-7a10-8b20-000000000000'
    const answers = [theirs.id, unknown].map(id => call(method, `/v1/webhooks/${id}${path}`, body))
    for (const answer of await Promise.all(answers)) t.equal(answer.status, 404, `${method} ${path}`)
  }
  await call('DELETE', `/v1/webhooks/${theirs.id}`, undefined, key)
})

t.test('a test event, and sending again', async t => {
  const { id, secret } = await made({ url: `${endpoint.url}/again`, types: ['campaign.*'] })
  const sent = await call('POST', `/v1/webhooks/${id}/test`)
  t.match(sent, { status: 202, body: { type: 'webhook.test', status: 'pending', sequence: null } })
  const [first] = await arrived('/again', 1)
  verified(t, first!, secret)
  t.match(first!.event, { id: sent.body.id, type: 'webhook.test', recordId: id })
  t.equal(sent.body.recordId, id, 'the log says what it is about, too')
  const { body: ofIt } = await call('GET', `/v1/webhooks/${id}/deliveries?recordId=${id}`)
  t.same(ofIt.data.map((d: { id: string }) => d.id), [sent.body.id]) // prettier-ignore
  const { body: known } = await call('GET', '/v1/event-types')
  const { schema } = (known.data as { type: string; schema: object }[]).find(e => e.type === 'webhook.test')!
  const ajv = new Ajv2020({ strict: false })
  addFormats.default(ajv)
  t.ok(ajv.validate(schema, first!.event), ajv.errorsText())

  const campaigns = []
  for (const name of ['One', 'Two', 'Three']) campaigns.push(await created('campaigns', { name }))
  const got = (await arrived('/again', 4)).slice(1)
  const again = await call('POST', `/v1/webhooks/${id}/deliveries/${got[1]!.event.id}/resend`)
  t.match(again, { status: 202, body: { id: got[1]!.event.id, status: 'pending' } })
  const fifth = (await arrived('/again', 5))[4]!
  t.equal(fifth.raw, got[1]!.raw, 'the same bytes')
  t.equal(fifth.headers['webhook-id'], got[1]!.headers['webhook-id'], 'under the same id')

  const range = { from: got[0]!.event.sequence as string, to: got[1]!.event.sequence as string }
  t.match(await call('POST', `/v1/webhooks/${id}/resend`, range), {
    status: 202,
    body: { count: 2, nextSequence: null }
  })
  t.same(
    (await arrived('/again', 7)).slice(5).map(r => r.event.id as string),
    got.slice(0, 2).map(r => r.event.id as string)
  )
  const graph = await graphql(
    'mutation($id: ID!, $since: DateTime!) { resendWebhookEvents(input: { id: $id, since: $since }) { count } }',
    { id, since: got[2]!.event.recordedAt as string }
  )
  t.notOk(graph.body.errors, graph.text)
  await arrived('/again', 8)
  await eventually('every attempt is in the log', async () => {
    const { body } = await call('GET', `/v1/webhooks/${id}/deliveries/${got[1]!.event.id}`)
    return (body.attempts >= 3 && body.log.length === body.attempts) || undefined
  })

  const late = await made({ url: `${endpoint.url}/late`, types: ['campaign.*'] })
  const backfill = await call('POST', `/v1/webhooks/${late.id}/resend`, { from: '1' })
  t.equal(backfill.body.count, 3, 'a new endpoint can be sent what was before it')
  t.same(
    (await arrived('/late', 3)).map(r => r.event.recordId as string),
    campaigns
  )
})

t.test('disabled, an endpoint keeps its place', async t => {
  const { id } = await made({ url: `${endpoint.url}/paused`, types: ['product.*'] })
  await call('PATCH', `/v1/webhooks/${id}`, { enabled: false })
  t.match((await call('GET', `/v1/webhooks/${id}`)).body, { status: 'disabled', enabled: false })
  for (const name of ['P1', 'P2', 'P3']) await created('products', { name })
  await settled()
  t.same(types('/paused'), [])
  const { body: first } = await call('GET', '/v1/events?types=product.created&limit=1000')
  const waits = await shows(id, 'since when it waits', w => w.oldestUndeliveredAt !== null)
  t.equal(waits.oldestUndeliveredAt, first.data.at(-3).occurredAt)
  t.match(await call('PATCH', `/v1/webhooks/${id}`, { enabled: true }), { body: { status: 'active' } })
  const got = await arrived('/paused', 3)
  t.same(
    got.map(r => r.event.data.name as string),
    ['P1', 'P2', 'P3']
  )
})
