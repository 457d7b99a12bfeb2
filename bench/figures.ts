/**
 * Every figure on three years of business, beside the best SQL for its core written by hand: medians, ratios, growth
 * from a tenth of the records to all of them, the memory of the server, and reads by id meanwhile. SCALE=0.1 makes all
 * smaller, ROUNDS says how often; an argument picks figures by name.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import autocannon from 'autocannon'
import pg from 'pg'
import { openDatabase } from '../src/database/client.js'
import { startEmbedded } from '../src/database/embedded.js'
import { migrate } from '../src/database/migrate.js'
import { createWorkspace, createWorkspaceKey } from '../src/resources/identity/create.js'
import { fill, sizes, type Pipeline } from './figures-data.js'
import { works, type Work } from './figures-works.js'

const scale = Number(process.env.SCALE ?? 1)
const rounds = Number(process.env.ROUNDS ?? 5)
const port = 3914
const origin = `http://127.0.0.1:${port}`

interface Place {
  workspace: string
  key: string
  pipeline: Pipeline
}

const headersOf = (key: string) => ({ authorization: `Bearer ${key}`, 'content-type': 'application/json' })

async function call<T>(key: string, path: string, body?: object): Promise<T> {
  const answer = await fetch(origin + path, {
    headers: headersOf(key),
    ...(body && { method: 'POST', body: JSON.stringify(body) })
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${text}`)
  return JSON.parse(text) as T
}

async function makePlace(client: pg.Client, url: string, share: number): Promise<Place> {
  const database = openDatabase({ url, maxConnections: 1, statementTimeoutMs: 0, onError: () => undefined })
  const workspace = await createWorkspace(database, `bench ${share}`)
  const key = await createWorkspaceKey(database, workspace, 'bench', ['admin'])
  await database.close()
  const { id } = await call<{ id: string }>(key, '/v1/pipelines', {
    name: 'Sales',
    stages: [
      ...['New', 'Qualified', 'Proposal', 'Negotiation'].map(name => ({ name })),
      { name: 'Won', kind: 'won' },
      { name: 'Lost', kind: 'lost' }
    ]
  })
  const { data } = await call<{ data: Pipeline['stages'] }>(key, `/v1/stages?pipelineId=${id}&sort=position`)
  const pipeline = { id, stages: data }
  await fill(client, workspace, pipeline, share)
  return { workspace, key, pipeline }
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!

async function timed(run: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await run()
  return performance.now() - began
}

async function measure(client: pg.Client, work: Work, large: Place, small: Place): Promise<void> {
  const kith: number[] = []
  const bare: number[] = []
  const tenth: number[] = []
  const ask = ({ key }: Place) => call(key, `/v1/metrics/${work.path}`, work.body)
  await ask(small)
  await ask(large)
  for (let i = 0; i < rounds; i++) {
    kith.push(await timed(() => ask(large)))
    bare.push(await timed(() => client.query(work.core, [large.workspace])))
    tenth.push(await timed(() => ask(small)))
  }
  const ratios = kith.map((ms, i) => ms / bare[i]!)
  process.stdout.write(
    `${work.name.padEnd(34)} ${median(kith).toFixed(0).padStart(6)} ms   core ${median(bare).toFixed(0).padStart(6)} ms   ` +
      `ratio ${median(ratios).toFixed(2).padStart(5)}   a tenth ${median(tenth).toFixed(0).padStart(5)} ms   ` +
      `growth ${(median(kith) / median(tenth)).toFixed(1)}\n`
  )
}

const memoryOf = ({ pid }: ChildProcess) => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const mb = (name: string) => (Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1]) / 1024).toFixed(0)
  return `${mb('VmRSS')} MB, at most ${mb('VmHWM')} MB`
}

async function getsMeanwhile(key: string, ids: readonly string[], figure: string | undefined): Promise<void> {
  let on = true
  const loop = (async () => {
    while (on && figure) await call(key, `/v1/metrics/${figure}`)
  })()
  let n = 0
  const { latency, requests } = await autocannon({
    url: origin,
    connections: 4,
    duration: 5,
    headers: headersOf(key),
    requests: [{ setupRequest: request => ({ ...request, path: `/v1/contacts/${ids[n++ % ids.length]}` }) }]
  })
  on = false
  await loop
  process.stdout.write(
    `gets ${(figure ? `while ${figure} runs` : 'alone').padEnd(29)} p50 ${latency.p50} ms   p99 ${latency.p99} ms   ` +
      `${requests.average.toFixed(0)}/s\n`
  )
}

async function ready(): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const answer = await fetch(`${origin}/readyz`).catch(() => undefined)
    if (answer?.ok) return
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  throw new Error(`Nothing listens on ${port}`)
}

function start(url: string): ChildProcess {
  const { PATH } = process.env
  const env = {
    ...(PATH && { PATH }),
    DATABASE_URL: url,
    JWT_SECRET: 'x'.repeat(40),
    ROLE: 'api',
    PORT: String(port),
    LOG_LEVEL: 'warn',
    RATE_LIMIT: '0',
    FIGURES_TIMEOUT: '600000',
    NODE_ENV: 'production'
  }
  return spawn(process.execPath, ['dist/cli.js', 'serve'], { env, stdio: 'inherit' })
}

async function run(client: pg.Client, url: string, child: ChildProcess): Promise<void> {
  const small = await makePlace(client, url, scale / 10)
  const large = await makePlace(client, url, scale)
  await client.query('vacuum analyze')
  const records = Object.entries(sizes).map(([name, count]) => `${count * scale} ${name}`)
  process.stdout.write(`${records.join(', ')}; ${memoryOf(child)}\n`)
  const only = process.argv[2] ?? ''
  for (const work of works) if (work.name.includes(only)) await measure(client, work, large, small)
  const { rows } = await client.query<{ id: string }>(
    'select id from contacts where workspace_id = $1 limit 1000',
    [large.workspace]
  )
  const ids = rows.map(r => r.id)
  await getsMeanwhile(large.key, ids, undefined)
  await getsMeanwhile(large.key, ids, 'funnel')
  await getsMeanwhile(large.key, ids, 'lifetime-value?method=bg_nbd')
  await getsMeanwhile(large.key, ids, 'forecast?deals=open')
  process.stdout.write(`memory after all: ${memoryOf(child)}\n`)
}

const dataDir = mkdtempSync(join(tmpdir(), 'kith-bench-'))
const server = await startEmbedded({ dataDir, log: () => undefined })
try {
  await migrate(server.url)
  const client = new pg.Client({ connectionString: server.url, options: '-c jit=off' })
  const child = start(server.url)
  try {
    await client.connect()
    await ready()
    await run(client, server.url, child)
  } finally {
    await client.end()
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  }
} finally {
  await server.stop()
  rmSync(dataDir, { recursive: true, force: true })
}
