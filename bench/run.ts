/** Kith beside bare node:http + pg, in alternating rounds on one machine: ratios, not seconds, are what counts. */
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import pg from 'pg'
import { openDatabase } from '../src/database/client.js'
import { startEmbedded } from '../src/database/embedded.js'
import { migrate } from '../src/database/migrate.js'
import { createWorkspace, createWorkspaceKey } from '../src/resources/identity/create.js'
import { contactIds, fill } from './data.js'

const rounds = Number(process.env.ROUNDS ?? 7)
const seconds = Number(process.env.SECONDS ?? 2)
const connections = 16
const ports = { kith: 3911, bare: 3912 }

const nestedQuery = `{ contacts(first: 50) { nodes { id firstName company { id name }
  deals(first: 5) { nodes { id name amount } } } } }`

interface Work {
  name: string
  request(): { method: 'GET' | 'POST'; path: string; body?: string }
}

function works(ids: string[]): Work[] {
  let n = 0
  const post = (path: string, body: object) => ({ method: 'POST' as const, path, body: JSON.stringify(body) })
  return [
    { name: 'get by id', request: () => ({ method: 'GET', path: `/v1/contacts/${ids[n++ % ids.length]}` }) },
    { name: 'list 50', request: () => ({ method: 'GET', path: '/v1/contacts' }) },
    {
      name: 'create',
      request: () =>
        post('/v1/contacts', { firstName: 'New', lastName: 'One', email: `new${n++}@example.com` })
    },
    { name: 'nested GraphQL', request: () => post('/graphql', { query: nestedQuery }) }
  ]
}

const headersOf = (key: string) => ({
  authorization: `Bearer ${key}`,
  'content-type': 'application/json'
})

// A ratio of different answers would mean nothing.
async function checkAlike(work: Work, key: string): Promise<void> {
  const { path, ...request } = work.request()
  const told = async (port: number) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { ...request, headers: headersOf(key) })
    return (await answer.text()).match(/"(firstName|name|amount)":"[^"]*"/g)?.join()
  }
  const [kith, bare] = [await told(ports.kith), await told(ports.bare)]
  if (kith === undefined || kith !== bare) throw new Error(`${work.name}: the answers differ`)
}

async function round(port: number, work: Work, key: string): Promise<{ rate: number; p99: number }> {
  const result = await autocannon({
    url: `http://127.0.0.1:${port}`,
    connections,
    duration: seconds,
    headers: headersOf(key),
    requests: [{ setupRequest: request => ({ ...request, ...work.request() }) }]
  })
  if (result.non2xx + result.errors > 0)
    throw new Error(`${work.name}: ${result.non2xx} answers were no success`)
  return { rate: result.requests.average, p99: result.latency.p99 }
}

const median = (values: number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!

async function compare(work: Work, key: string): Promise<void> {
  const [kith, bare, ratios]: number[][] = [[], [], []]
  await checkAlike(work, key)
  await round(ports.kith, work, key)
  await round(ports.bare, work, key)
  for (let i = 0; i < rounds; i++) {
    const a = await round(ports.kith, work, key)
    const b = await round(ports.bare, work, key)
    kith!.push(a.rate)
    bare!.push(b.rate)
    ratios!.push(a.rate / b.rate)
  }
  const sorted = [...ratios!].sort((a, b) => a - b)
  const show = (n: number) => n.toFixed(2)
  process.stdout.write(
    `${work.name.padEnd(16)} kith ${median(kith!).toFixed(0).padStart(6)}/s   bare ${median(bare!).toFixed(0).padStart(6)}/s   ` +
      `ratio ${show(median(ratios!))} (${show(sorted[0]!)} to ${show(sorted.at(-1)!)})\n`
  )
}

async function ready(port: number): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const answered = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      () => true,
      () => false
    )
    if (answered) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error(`Nothing listens on ${port}`)
}

function start(port: number, args: string[], env: Record<string, string>): ChildProcess {
  const { PATH } = process.env
  return spawn(process.execPath, args, {
    env: { ...(PATH && { PATH }), ...env, PORT: String(port), NODE_ENV: 'production' },
    stdio: 'ignore'
  })
}

async function main(): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'kith-bench-'))
  const server = await startEmbedded({ dataDir, log: () => undefined })
  const children: ChildProcess[] = []
  try {
    await migrate(server.url)
    const database = openDatabase({
      url: server.url,
      maxConnections: 2,
      statementTimeoutMs: 600_000,
      onError: () => undefined
    })
    const workspace = await createWorkspace(database, 'bench')
    const key = await createWorkspaceKey(database, workspace, 'bench', ['admin'])
    await database.close()
    const client = new pg.Client({ connectionString: server.url })
    await client.connect()
    const { rows } = await client.query<{ pipeline: string; stage: string }>(
      `with p as (insert into pipelines (workspace_id, id, created_at, updated_at, name)
         values ($1, gen_random_uuid(), now(), now(), 'p') returning id),
       s as (insert into stages (workspace_id, id, created_at, updated_at, pipeline_id, name, position)
         select $1, gen_random_uuid(), now(), now(), id, 's', 1 from p returning id, pipeline_id)
       select id as stage, pipeline_id as pipeline from s`,
      [workspace]
    )
    await fill(client, workspace, rows[0]!.stage, rows[0]!.pipeline)
    const ids = await contactIds(client, workspace)
    await client.end()
    // Requests are counted, but never too many.
    const env = {
      DATABASE_URL: server.url,
      JWT_SECRET: 'x'.repeat(40),
      ROLE: 'api',
      LOG_LEVEL: 'info',
      RATE_LIMIT: '1000000'
    }
    children.push(
      start(ports.kith, ['dist/cli.js', 'serve'], env),
      start(ports.bare, ['--import=tsx', 'bench/bare.ts', server.url, workspace], {})
    )
    await Promise.all([ready(ports.kith), ready(ports.bare)])
    const only = process.argv[2] ?? ''
    for (const work of works(ids)) if (work.name.includes(only)) await compare(work, key)
  } finally {
    for (const child of children) child.kill('SIGTERM')
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

await main()
