import { once } from 'node:events'
import { createServer } from 'node:http'
import pg from 'pg'
import t, { type Test } from 'tap'
import { openDatabase } from '../src/database/client.js'
import { findEmbedded, startEmbedded } from '../src/database/embedded.js'
import { createWorkspace, createWorkspaceKey } from '../src/resources/identity/create.js'
import { databaseUrl, execute } from './helpers/database.js'
import { eventually, feed, sender, statuses, times, type Sent } from './helpers/http.js'
import { lost, startLoad, type Load } from './helpers/load.js'
import { alive, kith, postgresPid, runKith, temporaryFolder, type Program } from './helpers/program.js'
import { proxyTo } from './helpers/proxy.js'

const JWT_SECRET = 'a-test-secret-of-more-than-32-characters'
const keyPattern = /^kith_\S+\n$/
const idPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/

const dataDir = await temporaryFolder(t)
const embedded = { DATA_DIR: dataDir }
/** Of the workspace demo in the embedded database, which the tests of it share. */
let key = ''

async function under(load: Load, writes: number): Promise<void> {
  const before = load.acknowledged.size
  await eventually(`${writes} writes`, () => load.acknowledged.size >= before + writes || undefined, 30)
}

async function status(origin: string, path: string): Promise<number> {
  return fetch(origin + path, { signal: AbortSignal.timeout(3000) }).then(
    answer => answer.status,
    () => 0
  )
}

const ready = (origin: string) =>
  eventually('readiness', async () => (await status(origin, '/readyz')) === 200 || undefined)

t.test('PostgreSQL killed under load: the server ends with it, and nothing acknowledged is lost', async t => {
  const program = kith(t, ['serve'], embedded)
  const origin = await program.origin()
  await eventually(
    'the way to a key',
    () => /keys create --workspace demo/.test(program.stderr()) || undefined
  )
  const created = await runKith(t, ['keys', 'create', '--workspace', 'demo'], embedded)
  t.match(created.stdout, keyPattern, 'beside a server, stdout holds the key alone')
  t.equal(created.code, 0)
  key = created.stdout.trim()
  const load = startLoad(sender(origin, key))
  await under(load, 100)
  process.kill((await postgresPid(dataDir))!, 'SIGKILL')
  t.equal(await program.ended, 1)
  t.match(program.stderr(), /the embedded database stopped: PostgreSQL ended with SIGKILL/)
  await load.stop()
  t.same(
    load.refused.filter(r => r.status !== 503).map(r => r.text),
    []
  )

  const again = kith(t, ['serve'], embedded)
  const send = sender(await again.origin(), key)
  t.same(await lost(send, load), [], `of ${load.acknowledged.size} writes`)
  const second = startLoad(send)
  await under(second, 100)
  again.kill('SIGKILL')
  t.equal(await again.ended, 'SIGKILL')
  await second.stop()
  t.same(statuses(second.refused), {}, 'nobody was refused before the kill')
  await t.test('commands without a server, right after the kill', async t => {
    const migrated = await runKith(t, ['migrate'], embedded)
    t.same([migrated.code, migrated.stdout], [0, ''])
    const workspace = await runKith(t, ['workspaces', 'create', 'Offline Ltd'], embedded)
    t.match(workspace.stdout, idPattern)
    t.equal(await postgresPid(dataDir), undefined, 'the database ends with the command')
  })
  // Long enough for a slow machine to see that readiness fails.
  const last = kith(t, ['serve'], { ...embedded, DRAIN_DELAY: '1500' })
  t.same(await lost(sender(await last.origin(), key), second), [], `of ${second.acknowledged.size} writes`)
  await refusesSecond(t, last)
  await drains(t, last)
})

async function refusesSecond(t: Test, running: Program): Promise<void> {
  const { code, stdout, stderr } = await runKith(t, ['serve'], embedded)
  t.equal(code, 1)
  t.equal(stdout, '')
  t.ok(stderr.includes(`is already in use by process ${running.pid}`), 'the refusal names the process')
}

// The load goes on until readiness fails, as behind a load balancer; requests that are under way then must finish.
async function drains(t: Test, program: Program): Promise<void> {
  const origin = await program.origin()
  const send = sender(origin, key)
  const postgres = (await postgresPid(dataDir))!
  const load = startLoad(send)
  await under(load, 50)
  const held = [...load.acknowledged.keys()][0]!
  const holder = new pg.Client({ connectionString: await findEmbedded(dataDir) })
  holder.on('error', () => undefined)
  await holder.connect()
  await holder.query('begin')
  await holder.query('select from contacts where id = $1 for update', [held])
  const long = send('PATCH', `/v1/contacts/${held}`, { firstName: 'late' })
  await eventually('it waits for the lock', async () => {
    const { rows } = await holder.query('select from pg_locks where not granted')
    return rows.length > 0 || undefined
  })
  program.kill('SIGTERM')
  const draining = await eventually('readiness fails', async () => {
    const answer = await fetch(`${origin}/readyz`)
    await answer.text()
    return answer.status === 503 ? answer : undefined
  })
  t.equal(draining.headers.get('connection'), 'close', 'kept connections are not used again')
  t.equal(await status(origin, '/healthz'), 200, 'new connections are still taken')
  await load.stop()
  await eventually('it listens no more', async () => (await status(origin, '/healthz')) === 0 || undefined)
  await holder.query('commit')
  await holder.end()
  t.equal((await long).status, 200, 'a request that was under way finishes')
  t.same(load.broken, [], 'no connection is reset')
  t.same(load.refused, [])
  t.equal(await program.ended, 0, 'it ends well', { stderr: program.stderr().slice(-2000) })
  t.equal(program.stdout(), '')
  t.notOk(alive(postgres), 'the embedded database ends with the server')
  t.equal(await postgresPid(dataDir), undefined)
}

async function keyIn(url: string): Promise<string> {
  const database = openDatabase({
    url,
    maxConnections: 1,
    statementTimeoutMs: 9000,
    onError: () => undefined
  })
  try {
    return await createWorkspaceKey(database, await createWorkspace(database, 'away'), 'away', ['admin'])
  } finally {
    await database.close()
  }
}

function assertAway(t: Test, answers: readonly Sent[], why: string): void {
  t.ok(answers.length > 0, `${why}: ${answers.length} requests were refused`)
  const types = new Set(answers.map(a => `${a.status} ${a.headers.get('content-type')}`))
  t.same([...types], ['503 application/problem+json; charset=utf-8'], why)
  t.ok(answers.every(a => Number(a.headers.get('retry-after')) > 0), 'with Retry-After') // prettier-ignore
  t.notMatch(answers.map(a => a.text).join(), /postgres|socket|ECONN|127\.0\.0\.1/i, 'without internals')
}

t.test('the database away under load: 503 until it is back, and nothing acknowledged is lost', async t => {
  const folder = await temporaryFolder(t)
  const options = { dataDir: folder, log: () => undefined }
  let server = await startEmbedded(options)
  t.teardown(() => server.stop())
  const proxy = await proxyTo(t, server.url)
  const env = { DATABASE_URL: proxy.url, JWT_SECRET, STATEMENT_TIMEOUT: '500' }
  const program = kith(t, ['serve'], env)
  const origin = await program.origin()
  const send = sender(origin, await keyIn(server.url))
  const load = startLoad(send)

  const outages: [string, () => Promise<void>, () => Promise<void>][] = [
    ['the network is cut', () => proxy.cut(), () => proxy.restore()],
    [
      'the server stops',
      () => server.stop(),
      async () => {
        server = await startEmbedded(options)
        proxy.leadTo(server.url)
      }
    ],
    ['the network swallows everything', async () => proxy.stall(), () => proxy.restore()]
  ]
  for (const [why, begin, end] of outages) {
    await under(load, 30)
    load.refused.length = 0
    await begin()
    await eventually('eight refusals', () => load.refused.length >= 8 || undefined, 30)
    t.not(await status(origin, '/readyz'), 200, `${why}: not ready`)
    t.equal(await status(origin, '/healthz'), 200, 'but alive')
    await end()
    const began = Date.now()
    await ready(origin)
    await under(load, 10)
    t.ok(Date.now() - began < 10000, `back after ${Date.now() - began} ms`)
    assertAway(t, load.refused, why)
  }
  await load.stop()
  t.same(load.broken, [], 'every request got an answer')
  t.same(await lost(send, load), [], `of ${load.acknowledged.size} writes`)
  program.kill('SIGTERM')
  t.equal(await program.ended, 0, 'the process never ended in between')
})

t.test('three servers start at once on an empty database', async t => {
  const server = process.env.KITH_TEST_SERVER!
  const name = `${process.env.KITH_TEST_TEMPLATE}_${process.pid}_three`
  await execute(server, `create database "${name}" template template0`)
  t.teardown(() => execute(server, `drop database if exists "${name}" with (force)`))
  const env = { DATABASE_URL: databaseUrl(server, name), JWT_SECRET, DRAIN_DELAY: '0' }
  const programs = ['all', 'all', 'api'].map(ROLE => kith(t, ['serve'], { ...env, ROLE }))
  const origins = await Promise.all(programs.map(p => p.origin()))
  const { rows } = await execute(
    env.DATABASE_URL,
    'select count(*)::int as all, count(distinct hash)::int as different from drizzle.__drizzle_migrations'
  )
  t.equal(rows[0]!.all, rows[0]!.different, 'each migration was applied once')

  const workspace = await runKith(t, ['workspaces', 'create', 'three'], env)
  t.match(workspace.stdout, idPattern)
  const scopes = ['--name', 'narrow', '--scopes', 'contacts:read,contacts:write,events:read']
  const [created, unknown] = await times(2, i =>
    runKith(t, ['keys', 'create', '--workspace', i ? 'nowhere' : 'three', ...scopes], env)
  )
  t.same([unknown!.code, unknown!.stdout], [1, ''])
  t.match(unknown!.stderr, /There is no workspace nowhere/)
  t.match(created!.stdout, keyPattern)
  const senders = origins.map(origin => sender(origin, created!.stdout.trim()))
  const answers = await times(30, i => senders[i % 3]!('POST', '/v1/contacts', { firstName: `${i}` }))
  t.same(statuses(answers), { 201: 30 }, 'all three serve')
  t.equal((await senders[0]!('GET', '/v1/deals')).status, 403, 'the key has its scopes only')
  const feeds = await Promise.all(senders.map(send => feed(send)))
  t.equal(feeds[0]!.length, 30)
  t.same(feeds[1], feeds[0])
  t.same(feeds[2], feeds[0])
  for (const program of programs) program.kill('SIGTERM')
  t.same(await Promise.all(programs.map(p => p.ended)), [0, 0, 0])
})

t.test('what cannot start says why, all at once, and ends with 1', async t => {
  const taken = createServer()
  await once(taken.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => void taken.close())
  const { port } = taken.address() as { port: number }
  const folder = await temporaryFolder(t)
  const wrong = { PORT: 'x', ROLE: 'king', DATABASE_URL: 'postgres://127.0.0.1:1/none', JWT_ISSUER: '' }
  const runs = await Promise.all([
    runKith(t, ['serve'], { ...wrong, LOG_LEVEL: 'loud', DRAIN_DELAY: '-1' }),
    runKith(t, ['serve'], { DATABASE_URL: wrong.DATABASE_URL, JWT_SECRET }),
    runKith(t, ['serve'], { DATA_DIR: folder, PORT: String(port) }),
    runKith(t, ['keys', 'create', '--workspace', 'x', '--scopes', 'admin,everything'], {})
  ])
  const told = [/^(?=[^]*PORT)(?=[^]*ROLE)(?=[^]*LOG_LEVEL)(?=[^]*DRAIN_DELAY)(?=[^]*JWT_SECRET)/]
  told.push(/ECONNREFUSED/, /EADDRINUSE/, /everything is not a scope/)
  runs.forEach(({ code, stdout, stderr }, i) => {
    t.equal(code, 1)
    t.equal(stdout, '')
    t.match(stderr, told[i]!)
  })
  t.equal(await postgresPid(folder), undefined, 'a port that is taken leaves no database running')
})
