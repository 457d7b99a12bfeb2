import sql from 'sql-template-tag'
import t from 'tap'
import { storeOutcomes } from '../src/jobs/webhooks/given-up.js'
import { takeLease } from '../src/jobs/webhooks/lease.js'
import { newId } from '../src/kernel/write.js'
import { testApp } from './helpers/app.js'
import { allowed } from './helpers/webhooks.js'

t.test('what is given up, skipped and sent again at once is counted right, and told once each', async t => {
  const { call, database, workspaceId } = await testApp(t, allowed)
  for (let n = 0; n < 24; n++) await call('POST', '/v1/companies', { name: `Company ${n}` })
  await call('GET', '/v1/events')
  const { body } = await call('POST', '/v1/webhooks', { url: 'http://127.0.0.1:9/', types: ['company.*'] })
  const webhookId = body.webhook.id as string
  const path = `/v1/webhooks/${webhookId}`
  const resent = await call('POST', `${path}/resend`, { from: '1' })
  t.match(resent, { status: 202, body: { count: 24 } })
  const listed = (await call('GET', `${path}/deliveries?limit=50`)).body.data as { id: string }[]

  const lease = { workspaceId, webhookId, leaseId: newId() }
  const taken = await takeLease(database, lease)
  const attempt = {
    delay: null,
    ms: 1,
    url: 'http://127.0.0.1:9/',
    headers: {},
    code: 500,
    body: '',
    error: '500',
    round: 0
  }
  const giveUp = (id: string) =>
    storeOutcomes(database, lease, taken!.circuit, [
      { ...attempt, id, status: 'failed', at: new Date().toISOString() }
    ])
  const skip = (id: string) => call('POST', `${path}/deliveries/${id}/skip`)
  const stored = await Promise.all(
    listed.map((d, i) => (i % 3 === 2 ? skip(d.id).then(r => r.status === 202) : giveUp(d.id)))
  )
  t.ok(stored.every(Boolean), 'all of it is done')

  const counted = async () => {
    const [row] = await database.query<{ n: number }>(sql`
      select count(*)::int as n from webhook_deliveries
      where workspace_id = ${workspaceId} and webhook_id = ${webhookId} and status = 'failed'`)
    t.equal((await call('GET', path)).body.failedDeliveries, row!.n)
    return row!.n
  }
  t.equal(await counted(), 16)
  const events = (await call('GET', '/v1/events?types=webhook.delivery_failed')).body.data as {
    data: { failedDeliveries: number }
  }[]
  t.same(
    events.map(e => e.data.failedDeliveries),
    Array.from({ length: 16 }, (_, i) => i + 1),
    'one event for each'
  )

  const again = listed
    .filter((_, i) => i % 3 === 0)
    .map(d => call('POST', `${path}/deliveries/${d.id}/resend`))
  const first = listed.filter((_, i) => i % 3 === 1).map(d => skip(d.id))
  t.ok((await Promise.all([...again, ...first])).every(r => r.status === 202))
  t.equal(await counted(), 0)
  const other = { ...lease, leaseId: newId() }
  const result = { ...attempt, id: listed[0]!.id, status: 'failed' as const, at: new Date().toISOString() }
  t.equal(await storeOutcomes(database, other, taken!.circuit, [result]), false, 'by nobody but who holds it')
  t.equal(await counted(), 0)
})
