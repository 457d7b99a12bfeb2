import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openDatabase } from '../src/database/client.js'
import { startEmbedded } from '../src/database/embedded.js'
import { migrate } from '../src/database/migrate.js'
import { createWorkspace, createWorkspaceKey } from '../src/resources/identity/create.js'
import { jwtSecret } from './helpers/app.js'
import { eventually, feed, sender, times, type Send } from './helpers/http.js'
import { kith, temporaryFolder } from './helpers/program.js'
import { proxyTo } from './helpers/proxy.js'
import { receiver, type Received, type Receiver } from './helpers/receiver.js'

const writers = 8
const records = 40
/** More of them take longer: `WEBHOOK_TEST_CHANGES=20000 npm test -- test/webhook-delivery.test.ts --timeout=1200`. */
const changes = Number(process.env.WEBHOOK_TEST_CHANGES ?? 800)

async function keyIn(url: string): Promise<string> {
  const database = openDatabase({
    url,
    maxConnections: 1,
    statementTimeoutMs: 9000,
    onError: () => undefined
  })
  try {
    return await createWorkspaceKey(database, await createWorkspace(database, 'hooks'), 'hooks', ['admin'])
  } finally {
    await database.close()
  }
}

/** Fails at random, answers late, and closes connections before or after it has taken an event. */
function moody(hook: Receiver): { acknowledged: Received[]; wrong: string[] } {
  const acknowledged: Received[] = []
  const wrong: string[] = []
  const last = new Map<string, number>()
  const bytes = new Map<string, string>()
  hook.behave(async (got, response) => {
    const { recordId, id, data } = got.event as { recordId: string; id: string; data: { version: number } }
    if ((bytes.get(id) ?? got.raw) !== got.raw) wrong.push(`${id} came with other bytes`)
    bytes.set(id, got.raw)
    const before = last.get(recordId) ?? 0
    if (data.version > before + 1) wrong.push(`version ${data.version} of ${recordId} came after ${before}`)
    const mood = randomInt(100)
    if (mood < 8) return 500
    if (mood < 11) {
      response.destroy()
      return undefined
    }
    if (mood < 14) await sleep(300)
    // From here on the event counts as taken, also where the answer gets lost.
    last.set(recordId, Math.max(before, data.version))
    acknowledged.push(got)
    if (mood < 17) {
      response.destroy()
      return undefined
    }
    return 200
  })
  return { acknowledged, wrong }
}

/** Writes until there were so many changes; whoever is away for a moment is tried again. */
async function write(sends: Send[], ids: string[], done: { changes: number }): Promise<void> {
  await times(writers, async writer => {
    for (let n = writer; done.changes < changes; n++) {
      const path = `/v1/contacts/${ids[randomInt(ids.length)]!}`
      const send = sends[n % sends.length]!
      const tried = async (method: string, at: string, body?: object) => {
        const { status } = await send(method, at, body).catch(() => ({ status: 0 }))
        if (status === 200 || status === 204) done.changes++
        else await sleep(20)
      }
      if (n % 10 === 9) {
        await tried('DELETE', path)
        await tried('POST', `${path}/restore`)
      } else await tried('PATCH', path, { jobTitle: `${writer} ${n}` })
    }
  })
}

function assertAll(t: Test, events: { id: string; recordId: string }[], taken: Received[]): void {
  const ids = new Set(taken.map(r => r.event.id as string))
  t.same(events.filter(e => !ids.has(e.id)), [], `all of ${events.length} changes arrived`) // prettier-ignore
  t.same([...ids].filter(id => !events.some(e => e.id === id)), [], 'and nothing else') // prettier-ignore
  for (const { event, headers } of taken) {
    if (event.id !== headers['webhook-id']) t.fail('a duplicate has another id')
  }
}

t.test('kill -9 and a restarted database on the way to a moody receiver', async t => {
  const options = { dataDir: await temporaryFolder(t), log: () => undefined }
  let server = await startEmbedded(options)
  t.teardown(() => server.stop())
  const proxy = await proxyTo(t, server.url)
  await migrate(server.url)
  const key = await keyIn(server.url)
  const env = {
    DATABASE_URL: proxy.url,
    JWT_SECRET: jwtSecret,
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_RETRY_SCALE: '0.002',
    WEBHOOK_TIMEOUT: '2000'
  }
  const start = (ROLE: string) => kith(t, ['serve'], { ...env, ROLE })
  const apis = [start('api'), start('api')]
  const workers = [start('worker'), start('worker')]
  const sends = (await Promise.all(apis.map(p => p.origin()))).map(origin => sender(origin, key))
  const send = sends[0]!
  const hook = await receiver(t)
  const { acknowledged, wrong } = moody(hook)
  const made = await send('POST', '/v1/webhooks', { url: hook.url, types: ['contact.*'] })
  t.equal(made.status, 201)
  const ids = await times(records, async i => {
    const { body } = await send('POST', '/v1/contacts', { firstName: `${i}` })
    return body.id as string
  })

  const done = { changes: 0 }
  const written = write(sends, ids, done)
  const reached = (share: number) =>
    eventually(`${share} of the changes`, () => done.changes >= changes * share || undefined, 600)
  await eventually('deliveries', () => acknowledged.length > 50 || undefined, 60)
  workers[0]!.kill('SIGKILL')
  workers.push(start('worker'))
  await reached(0.4)
  apis[1]!.kill('SIGKILL')
  await server.stop()
  server = await startEmbedded(options)
  proxy.leadTo(server.url)
  await reached(0.7)
  const atKill = acknowledged.length
  workers[1]!.kill('SIGKILL')
  await written

  const events = (await feed(send, '&types=contact.*')) as { id: string; recordId: string }[]
  t.ok(events.length >= changes, `${events.length} changes`)
  const taken = () => new Set(acknowledged.map(r => r.event.id as string))
  await eventually('all of it', () => taken().size >= events.length || undefined, 600)
  assertAll(t, events, acknowledged)
  t.same(wrong, [], 'in order per record, and the same bytes each time')
  t.ok(acknowledged.length > atKill, 'it went on after the kills')
  t.ok(acknowledged.length > taken().size, 'some came twice, as answers were lost')

  const id = made.body.webhook.id as string
  const shown = await eventually('it is well', async () => {
    const { body } = await send('GET', `/v1/webhooks/${id}`)
    return body.oldestUndeliveredAt === null && body.status === 'active' ? body : undefined
  })
  t.match(shown, { failedDeliveries: 0, parkedAt: null })
  const last = workers[2]!
  last.kill('SIGTERM')
  t.equal(await last.ended, 0, 'a worker ends well', { stderr: last.stderr().slice(-2000) })
})
