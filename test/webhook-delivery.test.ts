import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import sql from 'sql-template-tag'
import t, { type Test } from 'tap'
import { openDatabase } from '../src/database/client.js'
import { startEmbedded } from '../src/database/embedded.js'
import { migrate } from '../src/database/migrate.js'
import { createWorkspace, createWorkspaceKey } from '../src/resources/identity/create.js'
import { jwtSecret } from './helpers/app.js'
import { eventually, sender, times, type Send } from './helpers/http.js'
import { kith, temporaryFolder, type Program } from './helpers/program.js'
import { proxyTo } from './helpers/proxy.js'
import { receiver, type Received, type Receiver } from './helpers/receiver.js'

const writers = 8
const records = 40
/** All of them take some minutes: `WEBHOOK_TEST_CHANGES=20000 npm test -- test/webhook-delivery.test.ts --timeout=1200`. */
const changes = Number(process.env.WEBHOOK_TEST_CHANGES ?? 750)
const timeoutMs = 1000

interface Change {
  [field: string]: unknown
  id: string
  recordId: string
  version: number
}

const openOne = (url: string) =>
  openDatabase({ url, maxConnections: 1, statementTimeoutMs: 9000, onError: () => undefined })

async function keyIn(url: string): Promise<string> {
  const database = openOne(url)
  try {
    return await createWorkspaceKey(database, await createWorkspace(database, 'hooks'), 'hooks', ['admin'])
  } finally {
    await database.close()
  }
}

/** What was committed, whatever anybody says of it. */
async function committed(url: string): Promise<Change[]> {
  const database = openOne(url)
  try {
    return await database.query<Change>(sql`
      select id, record_id as "recordId", (data ->> 'version')::int as version from events
      where resource = 'contact' order by ord`)
  } finally {
    await database.close()
  }
}

/** Fails at random, answers late or too late, and closes connections before or after it has taken an event. */
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
    const mood = randomInt(1000)
    if (mood < 80) return 500
    if (mood < 110) {
      response.destroy()
      return undefined
    }
    if (mood < 140) await sleep(mood < 115 ? timeoutMs * 1.5 : 200)
    // From here on the event counts as taken, also where the answer gets lost.
    last.set(recordId, Math.max(last.get(recordId) ?? 0, data.version))
    acknowledged.push(got)
    if (mood < 170) {
      response.destroy()
      return undefined
    }
    return 200
  })
  return { acknowledged, wrong }
}

/** Writes until it is told to stop; whoever is away for a moment is tried again. Answers what was acknowledged. */
async function write(
  sends: Send[],
  ids: string[],
  done: { changes: number; enough: boolean }
): Promise<string[]> {
  const acknowledged: string[] = []
  await times(writers, async writer => {
    for (let n = writer; !done.enough; n++) {
      const path = `/v1/contacts/${ids[randomInt(ids.length)]!}`
      const tried = async (method: string, at: string, body?: object) => {
        const answer = await sends[n % sends.length]!(method, at, body).catch(() => undefined)
        if (answer?.status === 200) acknowledged.push(`${answer.body.id} ${answer.body.version}`)
        if (answer?.status === 200 || answer?.status === 204) done.changes++
        else await sleep(20)
      }
      if (n % 10 === 9) {
        await tried('DELETE', path)
        await tried('POST', `${path}/restore`)
      } else await tried('PATCH', path, { jobTitle: `${writer} ${n}` })
    }
  })
  return acknowledged
}

/** Reads the feed from its beginning, from whoever answers, until it is told that nothing more is written. */
async function follow(sends: Send[], over: () => boolean): Promise<Change[]> {
  const seen: Change[] = []
  for (let after = '0', n = 0; ; n++) {
    const last = over()
    const query = `types=contact.*&limit=200&wait=1&after=${after}`
    const page = await sends[n % sends.length]!('GET', `/v1/events?${query}`).catch(() => undefined)
    if (page?.status !== 200) {
      await sleep(50)
      continue
    }
    const events = page.body.data as { id: string; recordId: string; data: { version: number } }[]
    seen.push(...events.map(({ id, recordId, data: { version } }) => ({ id, recordId, version })))
    after = page.body.page.nextCursor as string
    if (last && !page.body.page.hasMore) return seen
  }
}

/** The reader saw each change once, and those of a record in the order of its versions. */
function assertFeed(t: Test, seen: Change[], expected: Change[]): void {
  const key = ({ id, recordId, version }: Change) => `${recordId} ${version} ${id}`
  t.same(seen.map(key).sort(), expected.map(key).sort(), `each of ${expected.length} changes once`)
  const last = new Map<string, number>()
  const wrong = seen.filter(({ recordId, version }) => {
    const before = last.get(recordId) ?? 0
    last.set(recordId, version)
    return version !== before + 1
  })
  t.same(wrong, [], 'in the order of each record')
}

function assertArrived(t: Test, expected: Change[], taken: Received[]): void {
  const ids = new Set(taken.map(r => r.event.id as string))
  t.same(expected.filter(e => !ids.has(e.id)), [], `all of ${expected.length} changes arrived`) // prettier-ignore
  const known = new Set(expected.map(e => e.id))
  t.same([...ids].filter(id => !known.has(id)), [], 'and nothing else') // prettier-ignore
  const others = taken.filter(({ event, headers }) => event.id !== headers['webhook-id'])
  t.same(others, [], 'a duplicate carries the same id')
}

t.test('kill -9 and a restarted database on the way to a reader and a moody receiver', async t => {
  const options = { dataDir: await temporaryFolder(t), log: () => undefined }
  let server = await startEmbedded(options)
  t.teardown(() => server.stop())
  const proxy = await proxyTo(t, server.url)
  await migrate(server.url)
  const key = await keyIn(server.url)
  const env = {
    DATABASE_URL: proxy.url,
    JWT_SECRET: jwtSecret,
    RATE_LIMIT: '0',
    WEBHOOK_ALLOW_PRIVATE: 'true',
    WEBHOOK_RETRY_SCALE: '0.002',
    WEBHOOK_TIMEOUT: String(timeoutMs)
  }
  const start = (ROLE: string) => kith(t, ['serve'], { ...env, ROLE })
  const sendTo = async (api: Program) => sender(await api.origin(), key)
  const apis = await times(3, async () => start('api'))
  const workers = await times(2, async () => start('worker'))
  const sends = await Promise.all(apis.map(sendTo))
  const send = sends[0]!
  const hook = await receiver(t)
  const { acknowledged, wrong } = moody(hook)
  const made = await send('POST', '/v1/webhooks', { url: hook.url, types: ['contact.*'] })
  t.equal(made.status, 201)
  const ids = await times(records, async i => {
    const { body } = await send('POST', '/v1/contacts', { firstName: `${i}` })
    return body.id as string
  })

  const began = Date.now()
  const done = { changes: 0, enough: false }
  let over = false
  const written = write(sends, ids, done)
  const read = follow(sends, () => over)
  const reached = (share: number) =>
    eventually(`${share} of the changes`, () => done.changes >= changes * share || undefined, 900)
  await eventually('deliveries', () => acknowledged.length > 50 || undefined)
  workers[0]!.kill('SIGKILL')
  apis[1]!.kill('SIGKILL')
  const [api, worker] = [start('api'), start('worker')]
  const programs = [...apis, ...workers, api, worker]
  sends[1] = await sendTo(api)
  await eventually('the worker', () => /background work runs/.test(worker.stderr()) || undefined)
  await reached(0.4)
  await server.stop()
  server = await startEmbedded(options)
  proxy.leadTo(server.url)
  await reached(0.8)
  const atKill = acknowledged.length
  workers[1]!.kill('SIGKILL')
  await reached(1)
  done.enough = true
  const told = await written
  over = true
  t.comment(`${done.changes} changes in ${Date.now() - began} ms`)

  const expected = await committed(server.url)
  t.ok(expected.length >= changes, `${expected.length} changes`)
  const known = new Set(expected.map(e => `${e.recordId} ${e.version}`))
  t.same(told.filter(change => !known.has(change)), [], 'each of which an acknowledged one is') // prettier-ignore
  assertFeed(t, await read, expected)
  const taken = () => new Set(acknowledged.map(r => r.event.id as string))
  await eventually('all of it', () => taken().size >= expected.length || undefined, 900)
  t.comment(`delivered in ${Date.now() - began} ms, ${hook.got.length} requests`)
  assertArrived(t, expected, acknowledged)
  t.same(wrong, [], 'in order per record, and the same bytes each time')
  t.ok(acknowledged.length > atKill, 'it went on after the kills')
  t.ok(acknowledged.length > taken().size, 'some came twice, as answers were lost')

  const id = made.body.webhook.id as string
  const shown = await eventually('it is well', async () => {
    const { body } = await send('GET', `/v1/webhooks/${id}`)
    return body.oldestUndeliveredAt === null && body.status === 'active' ? body : undefined
  })
  t.match(shown, { failedDeliveries: 0, parkedAt: null })
  const secret = made.body.secret as string
  t.notOk(programs.some(p => (p.stdout() + p.stderr()).includes(secret)), 'no log tells the secret') // prettier-ignore
  worker.kill('SIGTERM')
  t.equal(await worker.ended, 0, 'a worker ends well', { stderr: worker.stderr().slice(-2000) })
})
