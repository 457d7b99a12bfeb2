/**
 * Webhooks end to end, beside a bare loop of the same HTTP calls: events a second, time from commit to delivery, and
 * what events and endpoints cost the writers. SECONDS says how long each part takes.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import autocannon from 'autocannon'
import pg from 'pg'
import { Agent } from 'undici'
import { openDatabase } from '../src/database/client.js'
import { startEmbedded } from '../src/database/embedded.js'
import { migrate } from '../src/database/migrate.js'
import { createWorkspace, createWorkspaceKey } from '../src/resources/identity/create.js'

const seconds = Number(process.env.SECONDS ?? 10)
const port = 3913
const origin = `http://127.0.0.1:${port}`
const concurrency = 8
const pacedPerSecond = 50

interface Sink {
  url: string
  bodies: string[]
  /** Milliseconds from each change to its arrival. */
  delays: number[]
  close(): void
}

async function sink(): Promise<Sink> {
  const bodies: string[] = []
  const delays: number[] = []
  const server: Server = createServer((request, response) => {
    let body = ''
    request.on('data', chunk => (body += String(chunk)))
    request.on('end', () => {
      const { occurredAt } = JSON.parse(body) as { occurredAt: string }
      delays.push(Date.now() - Date.parse(occurredAt))
      bodies.push(body)
      response.end()
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port: at } = server.address() as AddressInfo
  return { url: `http://127.0.0.1:${at}`, bodies, delays, close: () => server.close() }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]!
}

const tell = (what: string, value: string) => process.stdout.write(`${what.padEnd(44)} ${value}\n`)
const percentiles = (ms: readonly number[]) => `p50 ${quantile(ms, 0.5)} ms   p99 ${quantile(ms, 0.99)} ms`

const perSecond = (count: number, ms: number) => `${((count * 1000) / ms).toFixed(0)}/s`

async function write(key: string): Promise<number> {
  const result = await autocannon({
    url: `${origin}/v1/contacts`,
    method: 'POST',
    connections: 16,
    duration: seconds,
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ firstName: 'New', lastName: 'One', email: 'new@example.com' })
  })
  if (result.non2xx + result.errors > 0) throw new Error(`${result.non2xx} writes were no success`)
  return result.requests.average
}

async function post(path: string, key: string, body: object): Promise<{ webhook?: { id: string } }> {
  const answer = await fetch(origin + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify(body)
  })
  if (!answer.ok) throw new Error(await answer.text())
  return (await answer.json()) as { webhook?: { id: string } }
}

/** Waits until nothing has arrived for two seconds, and answers when the last came. */
async function quiet(target: Sink): Promise<number> {
  for (let count = -1, at = Date.now(); ;) {
    if (target.bodies.length !== count) {
      count = target.bodies.length
      at = Date.now()
    } else if (Date.now() - at > 2000) return at
    await sleep(20)
  }
}

/** The same bodies in a loop, as many at once as an endpoint gets. */
async function bare(target: Sink, bodies: readonly string[]): Promise<{ rate: number; ms: number[] }> {
  const agent = new Agent()
  const ms: number[] = []
  const began = performance.now()
  const queue = bodies[Symbol.iterator]()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (const body of queue) {
        const sent = performance.now()
        const answer = await agent.request({ origin: target.url, path: '/', method: 'POST', body })
        await answer.body.dump()
        ms.push(Math.round((performance.now() - sent) * 10) / 10)
      }
    })
  )
  const rate = bodies.length / ((performance.now() - began) / 1000)
  await agent.close()
  return { rate, ms }
}

async function paced(key: string, target: Sink): Promise<number[]> {
  target.delays.length = 0
  for (let i = 0; i < seconds * pacedPerSecond; i++) {
    void post('/v1/contacts', key, { firstName: `Paced ${i}` })
    await sleep(1000 / pacedPerSecond)
  }
  await quiet(target)
  return target.delays
}

/** Writes as they are, and the same with a database that throws their events away, in turns. */
async function eventsCost(key: string, client: pg.Client): Promise<void> {
  await client.query(
    `create function thrown_away() returns trigger language plpgsql as 'begin return null; end'`
  )
  const tables = ['events', 'event_outbox']
  for (const table of tables) {
    await client.query(
      `create trigger thrown_away before insert on ${table} for each row execute function thrown_away()`
    )
  }
  const set = async (how: 'enable' | 'disable') => {
    for (const table of tables) await client.query(`alter table ${table} ${how} trigger thrown_away`)
  }
  const rates: Record<'enable' | 'disable', number[]> = { enable: [], disable: [] }
  for (let i = 0; i < 3; i++) {
    for (const how of ['disable', 'enable'] as const) {
      await set(how)
      rates[how].push(await write(key))
    }
  }
  await set('disable')
  const ratios = rates.disable.map((rate, i) => rate / rates.enable[i]!)
  tell('writes with events', `${quantile(rates.disable, 0.5).toFixed(0)}/s`)
  tell('writes without events', `${quantile(rates.enable, 0.5).toFixed(0)}/s`)
  tell('ratio', quantile(ratios, 0.5).toFixed(2))
}

async function measure(key: string): Promise<void> {
  const target = await sink()
  tell('writes without an endpoint', `${(await write(key)).toFixed(0)}/s`)
  await sleep(2000)
  const made = await post('/v1/webhooks', key, { url: target.url, types: ['contact.*'] })
  const began = Date.now()
  tell('writes with an endpoint', `${(await write(key)).toFixed(0)}/s`)
  const last = await quiet(target)
  const bodies = [...target.bodies]
  tell('delivered while written', `${perSecond(bodies.length, last - began)} of ${bodies.length}`)
  const again = Date.now()
  await post(`/v1/webhooks/${made.webhook!.id}/resend`, key, { from: '1' })
  const drained = (await quiet(target)) - again
  const count = target.bodies.length - bodies.length
  tell('delivered from a backlog', `${perSecond(count, drained)} of ${count}`)
  tell(`commit to delivery at ${pacedPerSecond}/s`, percentiles(await paced(key, target)))
  const { rate, ms } = await bare(target, bodies)
  tell('the same calls in a bare loop', `${rate.toFixed(0)}/s   ${percentiles(ms)}`)
  target.close()
}

function start(url: string, role: string): ChildProcess {
  const { PATH } = process.env
  const env = {
    DATABASE_URL: url,
    JWT_SECRET: 'x'.repeat(40),
    ROLE: role,
    PORT: String(port),
    LOG_LEVEL: 'warn'
  }
  return spawn(process.execPath, ['dist/cli.js', 'serve'], {
    env: {
      ...(PATH && { PATH }),
      ...env,
      WEBHOOK_ALLOW_PRIVATE: 'true',
      RATE_LIMIT: '0',
      NODE_ENV: 'production'
    },
    stdio: 'inherit'
  })
}

async function ready(): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const answer = await fetch(`${origin}/readyz`).catch(() => undefined)
    if (answer?.ok) return
    await sleep(100)
  }
  throw new Error(`Nothing listens on ${port}`)
}

const dataDir = mkdtempSync(join(tmpdir(), 'kith-bench-'))
const server = await startEmbedded({ dataDir, log: () => undefined })
const children: ChildProcess[] = []
try {
  await migrate(server.url)
  const options = { url: server.url, maxConnections: 1, statementTimeoutMs: 60_000, onError: () => undefined }
  const database = openDatabase(options)
  const key = await createWorkspaceKey(database, await createWorkspace(database, 'bench'), 'bench', ['admin'])
  await database.close()
  children.push(start(server.url, 'api'), start(server.url, 'worker'))
  await ready()
  const client = new pg.Client({ connectionString: server.url })
  await client.connect()
  await eventsCost(key, client).finally(() => client.end())
  await measure(key)
} finally {
  for (const child of children) child.kill('SIGTERM')
  await Promise.all(children.map(child => once(child, 'exit')))
  await server.stop()
  rmSync(dataDir, { recursive: true, force: true })
}
