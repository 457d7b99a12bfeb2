import sql from 'sql-template-tag'
import t, { type Test } from 'tap'
import {
  failed,
  isOpen,
  retryAfter,
  retryDelay,
  succeeded,
  type Circuit
} from '../src/jobs/webhooks/circuit.js'
import { eventually, times } from './helpers/http.js'
import { isProblem } from './helpers/problems.js'
import { receiver, type Receiver } from './helpers/receiver.js'
import { webhookWorld, type WebhookWorld } from './helpers/webhooks.js'

const hour = 3_600_000

/** With this an hour is 3.6 seconds, and three days are four minutes. */
const shortened = { WEBHOOK_RETRY_SCALE: '0.001' }
/** With this three days are 2.6 seconds. */
const hasty = { WEBHOOK_RETRY_SCALE: '0.00001' }

async function companies(world: WebhookWorld, names: string[]): Promise<string[]> {
  const ids = []
  for (const name of names) {
    const { status, body, text } = await world.call('POST', '/v1/companies', { name })
    if (status !== 201) throw new Error(text)
    ids.push(body.id as string)
  }
  return ids
}

const rename = (world: WebhookWorld, id: string, name: string) =>
  world.call('PATCH', `/v1/companies/${id}`, { name })

const arrived = (hook: Receiver, count: number) =>
  eventually(`${count} requests`, () => (hook.got.length >= count ? hook.got : undefined))

const names = (hook: Receiver) => hook.got.map(r => r.event.data.name as string)

async function eventTypes(world: WebhookWorld, id: string): Promise<string[]> {
  const { body } = await world.call('GET', `/v1/events?recordId=${id}`)
  return body.data.map((e: { type: string }) => e.type)
}

/** Has all deliveries that fail be failing for three days already. */
const threeDaysLater = ({ database, workspaceId }: WebhookWorld) =>
  database.query(sql`
    update webhook_deliveries set failing_since = failing_since - interval '3 days'
    where workspace_id = ${workspaceId} and status = 'pending' and failing_since > now() - interval '3 days'`)

/** How the versions of each record were acknowledged: each once or again, but none before the one before it. */
function inOrder(t: Test, acknowledged: { recordId: string; version: number }[]): void {
  const last = new Map<string, number>()
  for (const { recordId, version } of acknowledged) {
    const before = last.get(recordId) ?? 0
    if (version > before + 1) t.fail(`version ${version} of ${recordId} came after ${before}`)
    last.set(recordId, Math.max(before, version))
  }
}

t.test('the schedule', async t => {
  for (let nth = 1; nth < 40; nth++) {
    const delays = Array.from({ length: 50 }, () => retryDelay(nth, 1))
    const most = Math.min(6 * hour, 5000 * 2 ** (nth - 1))
    t.ok(Math.min(...delays) > 0 && Math.max(...delays) <= most, `delay ${nth} is at most ${most} ms`)
    t.ok(new Set(delays).size > 10, 'and never the same')
  }
  const now = Date.parse('2026-01-31T09:30:00Z')
  t.equal(retryAfter('120', now), 120_000)
  t.equal(retryAfter('Sat, 31 Jan 2026 09:31:00 GMT', now), 60_000)
  t.equal(retryAfter('999999999', now), 24 * hour, 'nobody may ask for more than a day')
  t.equal(retryAfter('9'.repeat(400), now), 24 * hour, 'however it is said')
  const [past, vague] = ['Sat, 31 Jan 2026 09:00:00 GMT', 'soon 2099']
  for (const nothing of [undefined, '', 'soon', '-5', '1.5', past, vague, '2099-01-01']) {
    t.equal(retryAfter(nothing, now), 0, String(nothing))
  }
  const circuit: Circuit = { failures: 0, holds: 0, failingSince: null, holdUntil: null, width: 8 }
  const fail = (failingRecords: number, at: number, askedMs = 0) =>
    failed(circuit, { now: at, failingRecords, askedMs, scale: 1 })
  for (let i = 0; i < 20; i++) fail(1, now)
  t.same([circuit.holdUntil, isOpen(circuit, 1)], [null, false], 'one record does not stop an endpoint')
  fail(3, now)
  t.ok(circuit.holdUntil! > now && circuit.width === 1 && circuit.holds === 1)
  for (let i = 0; i < 7; i++) fail(8, now)
  t.equal(circuit.holds, 1, 'failures that were under way count once')
  for (let i = 0; i < 50; i++) {
    const at = circuit.holdUntil! + 1
    fail(8, at)
    t.ok(circuit.holdUntil! - at <= hour / 4, 'a pause is a quarter of an hour at most')
  }
  t.equal(circuit.failingSince, now)
  const widths = Array.from({ length: 9 }, () => (succeeded(circuit, 8), circuit.width))
  t.same(widths, [2, 3, 4, 5, 6, 7, 8, 8, 8], 'it comes back gently')
})

t.test('a record that fails holds back itself alone', async t => {
  const world = await webhookWorld(t, shortened)
  const hook = await receiver(t)
  const [sick, sound] = (await companies(world, ['sick', 'sound'])) as [string, string]
  let cured = false
  hook.behave(({ event }, response) => {
    if (event.recordId !== sick || cured) return 200
    response.writeHead(500).end('sick '.repeat(2000))
    return undefined
  })
  const { id } = await world.made({ url: hook.url, types: ['company.*'] })
  await rename(world, sick, 'sick 2')
  await rename(world, sick, 'sick 3')
  for (const n of [2, 3, 4]) await rename(world, sound, `sound ${n}`)
  await eventually('the sound one', () => names(hook).includes('sound 4') || undefined)
  const failing = await world.shows(id, 'it fails', w => w.consecutiveFailures > 0)
  t.match(failing, { lastFailureAt: /Z$/, oldestUndeliveredAt: /Z$/, version: 1 })
  t.notOk(names(hook).includes('sick 3'), 'the next of a record waits for the one before')
  const log = await world.call('GET', `/v1/webhooks/${id}/deliveries?recordId=${sick}&status=pending`)
  t.match(log.body.data.at(-1), { status: 'pending', lastStatus: 500, lastError: 'It answered 500.' })
  cured = true
  await eventually('the rest', () => names(hook).includes('sick 3') || undefined)
  const mine = hook.got.filter(r => r.event.recordId === sick)
  const second = mine.filter(r => r.event.data.name === 'sick 2')
  t.ok(second.length > 1, `it was tried ${second.length} times`)
  t.equal(new Set(second.map(r => r.raw)).size, 1, 'with the same bytes')
  t.equal(new Set(second.map(r => r.headers['webhook-id'])).size, 1, 'under the same id')
  const { body } = await world.call('GET', `/v1/webhooks/${id}/deliveries/${second[0]!.event.id}`)
  const first = { number: 1, url: hook.url, responseStatus: 500, error: 'It answered 500.', at: /Z$/ }
  t.match(body.log.at(-1), { ...first, responseBody: 'sick '.repeat(820).slice(0, 4096) })
  t.equal(body.log.at(-1).requestHeaders['webhook-signature'], second[0]!.headers['webhook-signature'])
  t.match(await world.shows(id, 'it is well', w => w.status === 'active'), { consecutiveFailures: 0 })
})

t.test('Retry-After is honoured, and 410 disables', async t => {
  const world = await webhookWorld(t, shortened)
  const hook = await receiver(t)
  const { id } = await world.made({ url: hook.url, types: ['company.*'] })
  const at: number[] = []
  hook.behave((_got, response) => {
    at.push(Date.now())
    if (at.length > 1) return 200
    response.writeHead(500, { 'retry-after': '2' }).end()
    return undefined
  })
  await companies(world, ['a'])
  await eventually('the second attempt', () => at.length > 1 || undefined)
  t.ok(at[1]! - at[0]! >= 1900, `${at[1]! - at[0]!} ms`)
  hook.behave(() => 410)
  await companies(world, ['b', 'c'])
  t.match(await world.shows(id, 'it is disabled', w => w.status === 'disabled'), {
    enabled: false,
    statusReason: 'gone'
  })
  t.same(await eventTypes(world, id), ['webhook.created', 'webhook.disabled'])
  const before = hook.got.length
  hook.behave(() => 200)
  await world.call('PATCH', `/v1/webhooks/${id}`, { enabled: true })
  await eventually('the rest', () => hook.got.slice(before).some(r => r.event.data.name === 'c') || undefined)
  t.same(names(hook).slice(before).sort(), ['b', 'c'], 'nothing is lost')
})

t.test('a late 410 does not disable what was enabled again', async t => {
  const world = await webhookWorld(t, shortened)
  const hook = await receiver(t)
  const { id } = await world.made({ url: hook.url, types: ['company.*'] })
  // Who has taken one gets two at once.
  await companies(world, ['a'])
  await arrived(hook, 1)
  let [asked, released] = [false, false]
  hook.behave(async got => {
    if (got.event.data.name === 'c') asked = true
    const answered = got.event.data.name === 'c' ? () => released : () => asked
    return eventually('what it waits for', () => (answered() ? 410 : undefined))
  })
  await companies(world, ['b', 'c'])
  await world.shows(id, 'it is disabled', w => w.status === 'disabled')
  await world.call('PATCH', `/v1/webhooks/${id}`, { enabled: true })
  hook.behave(() => 200)
  const before = hook.got.length
  released = true
  await arrived(hook, before + 2)
  t.same(names(hook).slice(before).sort(), ['b', 'c'], 'nothing is lost')
  t.match(await world.shows(id, 'it is active', w => w.status === 'active'), { enabled: true })
  t.same(await eventTypes(world, id), ['webhook.created', 'webhook.disabled', 'webhook.updated'])
})

t.test('a consumer that is down for an hour gets all of it, in order, and is not flooded', async t => {
  const world = await webhookWorld(t, shortened)
  const hook = await receiver(t)
  const { id } = await world.made({ url: hook.url, types: ['company.*'] })
  const acknowledged: { recordId: string; version: number }[] = []
  let down = true
  let underWay = 0
  const together: number[] = []
  hook.behave(async ({ event }) => {
    if (down) return 500
    together.push(++underWay)
    await new Promise(resolve => setTimeout(resolve, 5))
    underWay--
    acknowledged.push({ recordId: event.recordId as string, version: event.data.version as number })
    return 200
  })
  const began = Date.now()
  const ids = await companies(
    world,
    Array.from({ length: 12 }, (_, i) => `c${i}`)
  )
  for (let round = 1; Date.now() - began < 3600; round++) {
    await times(ids.length, i => rename(world, ids[i]!, `c${i} ${round}`))
  }
  t.match(await world.shows(id, 'it fails', w => w.status === 'failing'), { oldestUndeliveredAt: /Z$/ })
  const tries = hook.got.length
  t.ok(tries < 100, `${tries} attempts in an hour`)
  down = false
  const feed = []
  for (let after = '0', more = true; more;) {
    const { body } = await world.call('GET', `/v1/events?resource=company&limit=1000&after=${after}`)
    feed.push(...(body.data as { id: string }[]))
    after = body.page.nextCursor as string
    more = body.page.hasMore as boolean
  }
  await eventually(`all ${feed.length} changes`, () => acknowledged.length >= feed.length || undefined)
  inOrder(t, acknowledged)
  const seen = new Set(hook.got.slice(tries).map(r => r.event.id as string))
  t.same(feed.filter(e => !seen.has(e.id)), [], 'none is missing') // prettier-ignore
  t.equal(together[0], 1, 'it begins with one request')
  t.ok(Math.max(...together) <= 8, 'never more than eight at once')
  t.match(await world.shows(id, 'it is well', w => w.oldestUndeliveredAt === null), { status: 'active' })
})

t.test('after three days it is parked, tells so, and resumes where it stopped', async t => {
  const world = await webhookWorld(t, hasty)
  const hook = await receiver(t)
  const { id } = await world.made({ url: hook.url, types: ['company.*', 'webhook.*'] })
  let down = true
  hook.behave(() => (down ? 500 : 200))
  const ids = await companies(world, ['p1', 'p2', 'p3', 'p4'])
  const parked = await world.shows(id, 'it is parked', w => w.status === 'parked')
  t.match(parked, { statusReason: 'exhausted', parkedAt: /Z$/, enabled: true })
  t.ok((await world.shows(id, 'its failures', w => w.consecutiveFailures > 3)).oldestUndeliveredAt)
  const after = hook.got.length
  for (const i of [0, 1, 2, 3]) await rename(world, ids[i]!, `p${i + 1} again`)
  const told = await eventTypes(world, id)
  t.same(told, ['webhook.created', 'webhook.parked'], 'the workspace is told once')
  isProblem(t, await world.call('POST', `/v1/webhooks/${id}/test`), { status: 422, code: 'unprocessable' })
  down = false
  t.equal(hook.got.length, after, 'parked, it is left alone')
  const resumed = await world.graphql(
    'mutation($id: ID!) { resumeWebhook(input: { id: $id }) { webhook { status parkedAt } } }',
    { id }
  )
  t.same(resumed.body.data.resumeWebhook.webhook, { status: 'ACTIVE', parkedAt: null })
  const rest = (await arrived(hook, after + 11)).slice(after)
  const ofCompanies = rest.filter(r => r.event.resource === 'company')
  t.equal(new Set(ofCompanies.map(r => r.event.id as string)).size, 8, 'nothing is lost')
  inOrder(
    t,
    ofCompanies.map(r => ({ recordId: r.event.recordId as string, version: r.event.data.version as number }))
  )
  const own = rest.filter(r => r.event.resource === 'webhook').map(r => r.event.type as string)
  t.same(own, ['webhook.created', 'webhook.parked', 'webhook.resumed'], 'its own story comes too, and ends')
})

t.test('an event that is never taken is given up by itself, and can be sent again or skipped', async t => {
  const world = await webhookWorld(t, shortened)
  const hook = await receiver(t)
  let poisoned = true
  hook.behave(({ event }) => (poisoned && /^poison/.test(event.data.name as string) ? 422 : 200))
  const { id } = await world.made({ url: hook.url, types: ['company.*'] })
  const [one, two, sound] = (await companies(world, ['poison 1', 'poison 2', 'sound'])) as [
    string,
    string,
    string
  ]
  await rename(world, one, 'after 1')
  await rename(world, two, 'after 2')
  await eventually('both fail', () => [1, 2].every(n => names(hook).includes(`poison ${n}`)) || undefined)
  const given = await eventually('both are given up', async () => {
    await rename(world, sound, `sound ${Math.random()}`)
    await threeDaysLater(world)
    const { body } = await world.call('GET', `/v1/webhooks/${id}`)
    return body.failedDeliveries === 2 ? body : undefined
  })
  t.match(given, { status: /active|failing/, parkedAt: null })
  t.same(await eventTypes(world, id), [
    'webhook.created',
    'webhook.delivery_failed',
    'webhook.delivery_failed'
  ])
  t.notOk(names(hook).some(n => n.startsWith('after')), 'what comes later of these records waits') // prettier-ignore
  const { body } = await world.call('GET', `/v1/webhooks/${id}/deliveries?status=failed&recordId=${one}`)
  const skipped = await world.call('POST', `/v1/webhooks/${id}/deliveries/${body.data[0].id}/skip`)
  t.match(skipped, { status: 202, body: { status: 'skipped' } })
  await eventually('the one after it', () => names(hook).includes('after 1') || undefined)
  t.equal((await world.call('GET', `/v1/webhooks/${id}`)).body.failedDeliveries, 1)
  poisoned = false
  const since = '2020-01-01T00:00:00Z'
  const again = await world.call('POST', `/v1/webhooks/${id}/resend`, { since, status: 'failed' })
  t.match(again, { status: 202, body: { count: 1 } })
  await eventually('the other', () => names(hook).includes('after 2') || undefined)
  const seen = names(hook)
  t.ok(seen.lastIndexOf('poison 2') < seen.indexOf('after 2'), 'in order')
  t.match(await world.shows(id, 'it is well', w => w.status === 'active'), { failedDeliveries: 0 })
})
