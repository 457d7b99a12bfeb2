/**
 * Runs the tests: `npm test [-- files and options]`, see CONTRIBUTING.md. It brings a PostgreSQL server (TEST_DATABASE_URL, else DATABASE_URL, else an embedded one), a migrated template database, the sources compiled, and
 * a process for each test file; and it reports what they say.
 */
import { randomBytes } from 'node:crypto'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { startEmbedded } from '../src/database/embedded.js'
import { migrate } from '../src/database/migrate.js'
import { databaseUrl, execute } from '../test/helpers/database.js'
import { makeCheckout } from './test/checkout.js'
import { startProcess, type Running, type TestProcess } from './test/files.js'
import { failed, tellFailures, tellFile, type Report } from './test/report.js'

interface Server {
  url: string
  close(): Promise<void>
}

type Tell = (file: string, report: Report, seconds: number) => void

const root = fileURLToPath(new URL('..', import.meta.url))
const template = `kith_test_${Date.now().toString(36)}_${randomBytes(4).toString('hex')}`

/** Those that take long start first, so that none of them is left to run alone at the end. */
const longest = [/conformance/, /row-scope/, /data\.test/, /crash/, /embedded/, /contract/, /-sets\.test/]

/** Those that look at their process, change it or load it heavily have one of their own. */
const alone = [
  ...longest,
  /clients|concurrency|figures-load|process-metrics|slow-readers|streams|webhook-delivery/
]

/** After so many files a process is replaced, which ends what they left in it. */
const filesPerProcess = 10

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    grep: { type: 'string', multiple: true },
    bail: { type: 'boolean', default: false },
    jobs: { type: 'string', default: '3' },
    timeout: { type: 'string', default: '600' }
  }
})

async function openServer(directory: string): Promise<Server> {
  const given = process.env.TEST_DATABASE_URL || process.env.DATABASE_URL
  if (given) return { url: given, close: () => dropDatabases(given) }
  const embedded = await startEmbedded({ dataDir: join(directory, 'data'), log: () => {} })
  // What a crash of this server would lose is of no use to anybody; tests of crashes start servers of their own.
  await execute(embedded.url, 'alter role current_user set synchronous_commit = off')
  return { url: embedded.url, close: () => embedded.stop() }
}

/** Drops the template and what was copied from it, also what a killed test file left behind. */
async function dropDatabases(server: string): Promise<void> {
  const { rows } = await execute(
    server,
    `select datname from pg_database where datname = '${template}' or starts_with(datname, '${template}_')`
  )
  for (const { datname } of rows) await execute(server, `drop database if exists "${datname}" with (force)`)
}

async function createTemplate(server: string): Promise<void> {
  await execute(server, `create database "${template}" template template0`)
  await migrate(databaseUrl(server, template))
}

/** The files to run, as they are named in the repository. */
async function testFiles(): Promise<string[]> {
  if (positionals.length > 0) return positionals.map(file => relative(root, resolve(file)))
  const names = (await readdir(join(root, 'test'))).filter(name => name.endsWith('.test.ts')).sort()
  const first = longest.flatMap(pattern => names.filter(name => pattern.test(name)))
  return [...new Set([...first, ...names])].map(name => `test/${name}`)
}

/** Runs files one after another for as long as there are some, in processes that it replaces now and then. */
async function runSome(next: () => string | undefined, running: Running, tell: Tell): Promise<void> {
  let shared: TestProcess | undefined
  let files = 0
  for (let file = next(); file !== undefined; file = next()) {
    const name = file
    const own = alone.some(pattern => pattern.test(name))
    const process = own ? startProcess(running) : (shared ??= startProcess(running))
    const start = performance.now()
    const report = await process.run(name)
    if (own) await process.end()
    else if (++files % filesPerProcess === 0 || failed(report) > 0) {
      await process.end()
      shared = undefined
    }
    tell(name, report, (performance.now() - start) / 1000)
  }
  await shared?.end()
}

/** Runs the files, a few at a time, and prints a line a file as it ends. */
async function runFiles(files: string[], running: Running): Promise<Map<string, Report>> {
  const reports = new Map<string, Report>()
  const next = () => (running.interruption.aborted ? undefined : files.shift())
  const tell: Tell = (file, report, seconds) => {
    reports.set(file, report)
    tellFile(file, report, seconds)
    if (values.bail && failed(report) > 0) files.length = 0
  }
  await Promise.all(Array.from({ length: Number(values.jobs) }, () => runSome(next, running, tell)))
  return reports
}

/** Answers how many assertions passed and failed. */
async function runTests(directory: string, interruption: AbortSignal): Promise<[number, number]> {
  const checkout = join(directory, 'checkout')
  const files = await testFiles()
  const server = await openServer(directory)
  try {
    await Promise.all([createTemplate(server.url), makeCheckout(root, checkout)])
    const { DATABASE_URL: _, TEST_DATABASE_URL: __, ...environment } = process.env
    const env = {
      ...environment,
      KITH_TEST_SERVER: server.url,
      KITH_TEST_TEMPLATE: template,
      KITH_DATA: environment.KITH_DATA || join(root, '../shared/data'),
      TAP_BAIL: values.bail ? '1' : '0',
      ...(values.grep && { TAP_GREP: ['/^/', ...values.grep].join('\n') })
    }
    const reports = await runFiles(files, {
      checkout,
      env,
      timeoutSeconds: Number(values.timeout),
      interruption
    })
    tellFailures(checkout, reports)
    const all = [...reports.values()]
    return [all.reduce((sum, r) => sum + r.passed, 0), all.reduce((sum, r) => sum + failed(r), 0)]
  } finally {
    await server.close()
  }
}

const print = (text: string) => void process.stdout.write(`${text}\n`)
const interruption = new AbortController()
const interrupt = (signal: NodeJS.Signals) => {
  process.exitCode ??= 128 + constants.signals[signal]
  interruption.abort()
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
// npm hands a signal to its shell, which may end without handing it on.
const parent = process.ppid
setInterval(() => process.ppid === parent || interrupt('SIGHUP'), 500).unref()
const directory = await mkdtemp(join(tmpdir(), 'kith-test-'))
let counts: [number, number] = [0, 1]
try {
  counts = await runTests(directory, interruption.signal)
} catch (error) {
  print(`\n${error instanceof Error ? error.stack : String(error)}`)
} finally {
  await rm(directory, { recursive: true, force: true })
}
const [passed, failures] = counts
print(`\n${passed} passed, ${failures} failed`)
if (failures > 0) process.exitCode ??= 1
