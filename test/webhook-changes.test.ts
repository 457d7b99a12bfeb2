import { setTimeout as sleep } from 'node:timers/promises'
import sql from 'sql-template-tag'
import t from 'tap'
import { createRecords, newId } from '../src/kernel/write.js'
import { companies } from '../src/resources/companies/resource.js'
import { systemContext } from '../src/resources/identity/create.js'
import { eventually } from './helpers/http.js'
import { receiver } from './helpers/receiver.js'
import { webhookWorld } from './helpers/webhooks.js'

const world = await webhookWorld(t, { WEBHOOK_RETRY_SCALE: '0.01' })
const { call, made, created, shows, database, workspaceId } = world

const as = (key: string) => ({ authorization: `Bearer ${key}` })

async function manyCompanies(count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, i) => ({ id: newId(), values: { name: `c${i}` } }))
  await createRecords(systemContext(database, workspaceId), companies, rows)
}

t.test('requests follow a change of the endpoint or its credential within seconds', async t => {
  const hook = await receiver(t)
  hook.behave(() => sleep(400, 200))
  const key = await world.newKey(['webhooks:read', 'webhooks:write', 'companies:read'])
  const { id } = await made({ url: `${hook.url}/old`, types: ['company.*'] }, as(key))
  await manyCompanies(400)
  await eventually('some requests', () => hook.got.length > 10 || undefined)
  await call('PATCH', `/v1/webhooks/${id}`, { url: `${hook.url}/new` })
  await sleep(3000)
  const old = hook.at('/old').length
  await eventually('more requests', () => hook.at('/new').length > 20 || undefined)
  t.equal(hook.at('/old').length, old, 'none goes where it went before')
  const { credentialId } = (await call('GET', `/v1/webhooks/${id}`)).body
  await call('POST', `/v1/api-keys/${credentialId}/revoke`)
  await sleep(5000)
  const last = hook.got.length
  t.ok(last < 400, `${last} requests until then`)
  const gone = await shows(id, 'the revoked key', w => w.status === 'disabled')
  t.match(gone, { statusReason: 'credential_gone' })
  t.equal(hook.got.length, last, 'none follows')
})

t.test('an endpoint at which Kith fails waits longer and longer, and says so', async t => {
  const hook = await receiver(t)
  const { id } = await made({ url: hook.url, types: ['company.*'] })
  await database.query(sql`
    update webhooks set filter = '{"gone": {"eq": "x"}}' where workspace_id = ${workspaceId} and id = ${id}`)
  await created('companies', { name: 'Waiting' })
  const failing = await shows(id, 'the failure', w => w.lastError !== null)
  t.match(failing, { status: 'failing', lastError: /^gone is no field of these events/, version: 1 })
  const holds = () =>
    database.query<{ holds: number }>(sql`
      select holds from webhook_states
      where workspace_id = ${workspaceId} and webhook_id = ${id} and hold_until is not null`)
  await eventually('the third try', async () => ((await holds())[0]?.holds ?? 0) >= 3 || undefined)
  await call('PATCH', `/v1/webhooks/${id}`, { filter: null })
  await eventually('the event', () => hook.got.length > 0 || undefined)
  t.match(await shows(id, 'it is well', w => w.lastError === null), { status: 'active' })
  t.same(await holds().then(rows => rows.filter(r => r.holds > 0)), [], 'the next pause would be short again')
})

t.test(
  'what is skipped or resent while a request is under way decides, and the log tells of the request',
  async t => {
    const hook = await receiver(t)
    const release: (() => void)[] = []
    hook.behave(async () => {
      await new Promise<void>(resolve => release.push(resolve))
      return 200
    })
    const { id } = await made({ url: hook.url, types: ['campaign.*'] })
    const path = `/v1/webhooks/${id}/deliveries`
    const underWay = async (name: string) => {
      const begun = release.length
      await created('campaigns', { name })
      await eventually('the request', () => release.length > begun || undefined)
      return hook.got.at(-1)!.event.id as string
    }
    const logged = (delivery: string, attempts: number) =>
      eventually(`${attempts} attempts`, async () => {
        const { body } = await call('GET', `${path}/${delivery}`)
        return body.attempts === attempts ? body : undefined
      })
    const skipped = await underWay('Skipped')
    t.match(await call('POST', `${path}/${skipped}/skip`), { status: 202, body: { status: 'skipped' } })
    release.at(-1)!()
    t.match(await logged(skipped, 1), { status: 'skipped', lastStatus: 200, log: [{ responseStatus: 200 }] })

    const resent = await underWay('Resent')
    t.equal((await call('POST', `${path}/${resent}/resend`)).status, 202)
    const begun = release.length
    release.at(-1)!()
    await eventually('the second request', () => release.length > begun || undefined)
    t.match(await logged(resent, 1), { status: 'pending', deliveredAt: null })
    release.at(-1)!()
    t.match(await logged(resent, 2), { status: 'delivered', log: [{ number: 2 }, { number: 1 }] })
  }
)

t.test('the log tells nothing of records that its reader may not read', async t => {
  const hook = await receiver(t)
  const { id } = await made({ url: hook.url, types: ['product.*', 'campaign.*'] })
  await created('products', { name: 'Chair' })
  await created('campaigns', { name: 'Summer' })
  await eventually('both', () => hook.got.length === 2 || undefined)
  const poor = as(await world.newKey(['webhooks:read', 'products:read']))
  const path = `/v1/webhooks/${id}/deliveries`
  const { body } = await call('GET', path, undefined, poor)
  t.same(body.data.map((d: { type: string }) => d.type), ['product.created']) // prettier-ignore
  const other = hook.got.find(r => r.event.type === 'campaign.created')!.event.id as string
  t.equal((await call('GET', `${path}/${other}`, undefined, poor)).status, 404)
  t.equal((await call('GET', `${path}/${other}`)).status, 200)
})

t.test('events that are no longer kept are not resent as if there were none', async t => {
  const hook = await receiver(t)
  const { id } = await made({ url: hook.url, types: ['activity.*'] })
  const resend = (from: string) => call('POST', `/v1/webhooks/${id}/resend`, { from })
  t.equal((await resend('1')).status, 202)
  await database.query(sql`update event_heads set forgotten = 5 where workspace_id = ${workspaceId}`)
  t.match(await resend('5'), {
    status: 410,
    body: { code: 'events_forgotten', startAfter: '5', errors: [{ pointer: '/from' }] }
  })
  t.equal((await resend('6')).status, 202)
})

t.test('slow endpoints of one workspace do not hold up those of another', async t => {
  const slow = await receiver(t)
  const quick = await receiver(t)
  slow.behave(() => sleep(20_000, 200))
  for (let i = 0; i < 40; i++) await made({ url: `${slow.url}/${i}`, types: ['lead.*'] })
  const other = as(await world.newKey(['admin'], await world.newWorkspace('other')))
  await made({ url: quick.url, types: ['lead.*'] }, other)
  await created('leads', { lastName: 'Slow' })
  await eventually('many turns', () => slow.got.length >= 16 || undefined)
  const began = Date.now()
  await created('leads', { lastName: 'Quick' }, other)
  await eventually('the other', () => quick.got.length > 0 || undefined)
  t.ok(Date.now() - began < 10_000, `after ${Date.now() - began} ms`)
  t.ok(slow.got.length <= 16, `${slow.got.length} endpoints of the first have their turn`)
})

t.test('a workspace has a hundred webhooks', async t => {
  const { body } = await call('GET', '/v1/webhooks?limit=200')
  const [first] = body.data as { id: string }[]
  const more = Array.from({ length: 100 - body.data.length }, (_, i) => i)
  for (const i of more) await made({ url: `http://127.0.0.1:9/${i}`, enabled: false })
  const refused = { status: 422, body: { errors: [{ code: 'too_many' }] } }
  const one = { url: 'http://127.0.0.1:9/' }
  t.match(await call('POST', '/v1/webhooks', one), refused)
  await call('DELETE', `/v1/webhooks/${first!.id}`)
  await made(one)
  t.match(await call('POST', `/v1/webhooks/${first!.id}/restore`), refused)
})
