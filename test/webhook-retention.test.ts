import sql from 'sql-template-tag'
import t from 'tap'
import { forgetOldDeliveries } from '../src/jobs/webhooks/log.js'
import { neededFrom } from '../src/jobs/webhooks/needed.js'
import { forgetOldEvents } from '../src/kernel/events.js'
import { eventually } from './helpers/http.js'
import { receiver } from './helpers/receiver.js'
import { webhookWorld } from './helpers/webhooks.js'

/** With this three days are four minutes, so nothing is given up. */
const slow = { WEBHOOK_RETRY_SCALE: '0.001' }

t.test('the log of what was delivered is kept for some days, and open deliveries for ever', async t => {
  const world = await webhookWorld(t, slow)
  const hook = await receiver(t)
  hook.behave(({ event }) => (event.data.name === 'open' ? 500 : 200))
  const { id } = await world.made({ url: hook.url, types: ['company.*'] })
  for (const name of ['old', 'new', 'open']) await world.created('companies', { name })
  const log = async (status: string) =>
    (await world.call('GET', `/v1/webhooks/${id}/deliveries?status=${status}`)).body.data as { id: string }[]
  const [recent, old] = await eventually('both', async () => {
    const found = await log('delivered')
    return found.length === 2 ? found : undefined
  })
  await world.database.query(sql`
    update webhook_deliveries set created_at = created_at - interval '31 days'
    where workspace_id = ${world.workspaceId} and event_id <> ${recent!.id}`)
  await forgetOldDeliveries(world.database, 30)
  t.same(
    (await log('delivered')).map(d => d.id),
    [recent!.id]
  )
  t.equal((await log('pending')).length, 1)
  const attempts = await world.database.query(
    sql`select 1 from webhook_attempts where workspace_id = ${world.workspaceId} and event_id = ${old!.id}`
  )
  t.equal(attempts.length, 0, 'its attempts are gone with it')
})

t.test('events that a webhook is yet to get are kept for it, up to a month', async t => {
  const world = await webhookWorld(t, slow)
  const { call, database, workspaceId } = world
  const hook = await receiver(t)
  let down = true
  hook.behave(() => (down ? 500 : 200))
  await world.created('companies', { name: 'before' })
  const { id } = await world.made({ url: hook.url, types: ['company.*'] })
  const age = (days: number) =>
    database.query(sql`
      update event_log set recorded_at = recorded_at - ${days} * interval '1 day'
      where workspace_id = ${workspaceId}`)
  const forget = () => forgetOldEvents(database, 90, neededFrom)
  const kept = async () => {
    const { body } = await call('GET', '/v1/events?types=company.created')
    return (body.data as { data: { name: string } }[]).map(e => e.data.name)
  }
  const missing = async () =>
    (await call('GET', `/v1/webhooks/${id}`)).body.oldestUndeliveredAt as string | null
  await world.created('companies', { name: 'first' })
  await world.created('companies', { name: 'second' })
  await world.shows(id, 'it fails', w => w.oldestUndeliveredAt !== null)
  t.same(await kept(), ['before', 'first', 'second'], 'all in the log, before it grows old')
  await age(119)
  await forget()
  t.same(await kept(), ['first', 'second'], 'what no webhook lacks is gone')
  down = false
  await eventually('both', () => hook.got.some(r => r.event.data.name === 'second') || undefined)
  await world.settled()
  await forget()
  t.same(await kept(), [], 'delivered, they are old events like others')

  await call('PATCH', `/v1/webhooks/${id}`, { enabled: false })
  await world.created('companies', { name: 'while disabled' })
  t.same(await kept(), ['while disabled'])
  await age(91)
  await forget()
  t.same(await kept(), [], 'a disabled one holds nothing')

  down = true
  await call('PATCH', `/v1/webhooks/${id}`, { enabled: true })
  await world.created('companies', { name: 'too old' })
  await eventually('it lacks one', async () => (await missing()) ?? undefined)
  await age(121)
  await forget()
  t.same(await kept(), [], 'and a month is the most')
  down = false
  const skipped = await eventually('it is left out', async () => {
    const { body } = await call('GET', `/v1/webhooks/${id}/deliveries?status=skipped`)
    return (body.data as { type: string }[])[0]
  })
  t.match(skipped, { type: 'company.created', status: 'skipped' })
  t.match(await world.shows(id, 'it is well', w => w.oldestUndeliveredAt === null), { parkedAt: null })
})
