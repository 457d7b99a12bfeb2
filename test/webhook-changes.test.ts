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
