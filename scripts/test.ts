/**
 * Runs the tests: `npm test [-- files and tap options]`. It brings a PostgreSQL server (TEST_DATABASE_URL, else
 * DATABASE_URL, else an embedded one), a migrated template database, tap, and a report of what tap says.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Parser, type Result } from 'tap-parser'
import { stringify } from 'yaml'
import { startEmbedded } from '../src/database/embedded.js'
import { migrate } from '../src/database/migrate.js'
import { databaseUrl, execute } from '../test/helpers/database.js'

interface Server {
  url: string
  close(): Promise<void>
}

interface Tally {
  passed: number
  failed: number
}

interface Report extends Tally {
  failures: Result[]
  skipped: Result[]
}

const root = fileURLToPath(new URL('..', import.meta.url))
const tapCommand = join(root, 'node_modules/.bin/tap')
const template = `kith_test_${Date.now().toString(36)}_${randomBytes(4).toString('hex')}`
const killAfterMs = 10_000

const print = (text: string) => void process.stdout.write(`${text}\n`)

/**
 * tap loads the plugins it was last built with. A fresh install is built with tap's TypeScript plugin, which this
 * project leaves out, and a build is lost with either node_modules or .tap.
 */
function buildTap(): void {
  if (existsSync(join(root, 'node_modules/@tapjs/test/test-built/node_modules'))) return
  const build = spawnSync(process.execPath, [tapCommand, 'build'], { cwd: root, encoding: 'utf8' })
  if (build.status !== 0) throw new Error(`tap build failed\n${build.stdout}${build.stderr}`)
}

async function openServer(): Promise<Server> {
  const given = process.env.TEST_DATABASE_URL || process.env.DATABASE_URL
  if (given) return { url: given, close: () => dropDatabases(given) }

  const directory = await mkdtemp(join(tmpdir(), 'kith-test-'))
  const removeDirectory = () => rm(directory, { recursive: true, force: true })
  try {
    const embedded = await startEmbedded({ dataDir: join(directory, 'data'), log: () => {} })
    return { url: embedded.url, close: () => embedded.stop().finally(removeDirectory) }
  } catch (error) {
    await removeDirectory()
    throw error
  }
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

function startTap(server: string): ChildProcess {
  const { DATABASE_URL: _, TEST_DATABASE_URL: __, ...environment } = process.env
  return spawn(
    process.execPath,
    [
      tapCommand,
      '--include=test/**/*.test.ts',
      '--node-arg=--import=tsx',
      '--disable-coverage',
      '--reporter=tap',
      '--jobs=3',
      '--timeout=600',
      ...process.argv.slice(2)
    ],
    {
      cwd: root,
      env: { ...environment, KITH_TEST_SERVER: server, KITH_TEST_TEMPLATE: template },
      stdio: ['ignore', 'pipe', 'inherit'],
      // A process group of its own, so that everything a test started can be ended with it.
      detached: true
    }
  )
}

function killGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (child.pid) process.kill(-child.pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Waits for tap and answers its exit code; when interrupted, ends it and all it started. */
async function waitForTap(child: ChildProcess, interruption: AbortSignal): Promise<number> {
  const stop = () => {
    killGroup(child, 'SIGTERM')
    setTimeout(killGroup, killAfterMs, child, 'SIGKILL').unref()
  }
  interruption.addEventListener('abort', stop)
  if (interruption.aborted) stop()
  const closed = once(child, 'close')
  const [code] = (await once(child, 'exit')) as [number | null]
  killGroup(child, 'SIGKILL')
  await closed
  return code ?? 1
}

function tellFile(file: Result, { passed, failed }: Tally = { passed: 0, failed: 0 }): void {
  const counts = failed > 0 ? `${passed} passed, ${failed} failed` : `${passed} passed`
  const time = file.time === null ? '' : `, ${Math.round(file.time)} ms`
  print(`${file.ok ? '  ok' : 'FAIL'}  ${file.name}  ${counts}${time}`)
}

/** Follows TAP, prints a line a file as it ends, and counts assertions. */
function follow(child: ChildProcess, report: Report): void {
  const files = new Map<string, Tally>()
  const count = (result: Result, key: keyof Tally) => {
    const name = result.fullname.split(' > ', 1).join()
    const file = files.get(name) ?? { passed: 0, failed: 0 }
    files.set(name, file)
    file[key]++
    report[key]++
  }
  const parser = new Parser()
  parser.on('pass', (result: Result) => count(result, 'passed'))
  parser.on('fail', (result: Result) => {
    count(result, 'failed')
    report.failures.push(result)
  })
  parser.on('skip', (result: Result) => report.skipped.push(result))
  parser.on('todo', (result: Result) => report.skipped.push(result))
  parser.on('bailout', (reason: string) => print(`Bail out! ${reason}`))
  // A file that fails as a whole is counted right after this event.
  parser.on('assert', (file: Result) => queueMicrotask(() => tellFile(file, files.get(file.name))))
  const showOutput = (level: Parser) => {
    level.on('extra', (text: string) => process.stdout.write(text))
    level.on('child', showOutput)
  }
  showOutput(parser)
  child.stdout?.pipe(parser)
}

/** What a failed assertion says, without how tap had started the file. */
function details({ diag }: Result): string {
  const { stdio, cwd, externalID, command, args, jobId, ...rest } = (diag ?? {}) as Record<string, unknown>
  if (rest.stack) delete rest.at
  if (Object.keys(rest).length === 0) return ''
  return stringify(rest, { lineWidth: 0 }).trimEnd().replace(/^/gm, '    ')
}

function tellFailures(report: Report): void {
  for (const failure of report.failures) print(`\nFAILED  ${failure.fullname}\n${details(failure)}`)
  for (const skipped of report.skipped) print(`\nSKIPPED  ${skipped.fullname}`)
}

async function runTests(report: Report, interruption: AbortSignal): Promise<void> {
  buildTap()
  const server = await openServer()
  try {
    await createTemplate(server.url)
    if (interruption.aborted) return
    const tap = startTap(server.url)
    follow(tap, report)
    const code = await waitForTap(tap, interruption)
    tellFailures(report)
    if (code !== 0 && report.failed === 0) throw new Error(`tap ended with exit code ${code}`)
  } finally {
    await server.close()
  }
}

const report: Report = { passed: 0, failed: 0, failures: [], skipped: [] }
const interruption = new AbortController()
const interrupt = (signal: NodeJS.Signals) => {
  process.exitCode ??= 128 + constants.signals[signal]
  interruption.abort()
}
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, interrupt)
// npm hands a signal to its shell, which may end without handing it on.
const parent = process.ppid
setInterval(() => process.ppid === parent || interrupt('SIGHUP'), 500).unref()
try {
  await runTests(report, interruption.signal)
} catch (error) {
  report.failed++
  print(`\n${error instanceof Error ? error.stack : String(error)}`)
}
print(`\n${report.passed} passed, ${report.failed} failed`)
if (report.failed > 0) process.exitCode ??= 1
