import { randomBytes } from 'node:crypto'
import {
  chmod,
  link,
  mkdir,
  mkdtemp,
  open,
  readFile,
  readdir,
  realpath,
  rename,
  rm,
  stat,
  writeFile
} from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { program, type Binaries } from './binaries.js'
import { ignoring } from './errors.js'
import { giveTo, referenceTo, run, type Identity } from './identity.js'

/** Folder of the server's files inside the data directory. */
export const clusterOf = (home: string) => join(home, 'postgres')

const passwordFile = (home: string) => join(home, 'postgres.password')

/** Settings written at the first start into postgresql.conf, where an operator may change them. */
const SETTINGS = {
  max_connections: '100',
  shared_buffers: '128MB',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_checkpoints: 'off',
  // Errors of statements go to the client. In a file they would pile up, with people's data in them.
  log_min_messages: 'log'
}

const ACCESS = `# Everyone needs the password. Only "kith" has one.
local all all scram-sha-256
host  all all 127.0.0.1/32 scram-sha-256
`

/** Makes sure that the data directory exists, closed to other users if it is new, and returns its real path. */
export async function openHome(dataDir: string): Promise<string> {
  await mkdir(resolve(dataDir), { recursive: true, mode: 0o700 })
  const home = await realpath(dataDir)
  if ((await readdir(home)).length === 0) await chmod(home, 0o700)
  return home
}

/** Password of the role `kith`, or undefined when none was made yet. */
export async function readPassword(home: string): Promise<string | undefined> {
  return (await readFile(passwordFile(home), 'utf8').catch(ignoring('ENOENT')))?.trim()
}

/** Creates the server's files if there are none, and returns the password of its role `kith`. */
export async function ensureCluster(
  home: string,
  identity: Identity,
  binaries: Binaries,
  log: (message: string) => void
): Promise<string> {
  const cluster = clusterOf(home)
  await removeDrafts(home)
  if (await exists(cluster)) {
    const password = await readPassword(home)
    if (password !== undefined) return password
    throw new Error(
      `${passwordFile(home)}, the password of the server in ${cluster}, is missing: restore it.`
    )
  }
  log(`creating the embedded PostgreSQL ${binaries.version} in ${cluster}`)
  const password = await createPassword(home)
  // Complete before it gets its name, so that an interrupted first start leaves nothing half made.
  const draft = await mkdtemp(`${cluster}.new-`)
  try {
    await giveTo(identity, draft)
    await fill(draft, identity, binaries, password)
    await publish(draft, cluster)
  } finally {
    await rm(draft, { recursive: true, force: true })
  }
  await syncFolder(home)
  return password
}

async function fill(draft: string, identity: Identity, binaries: Binaries, password: string): Promise<void> {
  const folder = referenceTo(identity, draft)
  const settings = Object.entries(SETTINGS).map(([name, value]) => `--set=${name}=${value}`)
  const locale = [
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    `--lc-ctype=${ctype()}`
  ]
  await must(draft, identity, program(binaries, 'initdb'), [
    ...[`--pgdata=${folder}`, '--username=postgres', '--auth=reject', '--encoding=UTF8'],
    ...[...locale, '--no-instructions', ...settings]
  ])
  await writeFile(join(draft, 'pg_hba.conf'), ACCESS)
  const role = `create role kith login createdb password '${password}'\n`
  const single = ['--single', '-D', folder, '-c', 'exit_on_error=on', 'postgres']
  await must(draft, identity, program(binaries, 'postgres'), single, role)
}

/** Without a UTF-8 character type, pg_trgm finds no letters in Bengali and other scripts. */
function ctype(): string {
  if (process.platform === 'win32') return 'en-US'
  return process.platform === 'darwin' ? 'en_US.UTF-8' : 'C.UTF-8'
}

async function must(
  cwd: string,
  identity: Identity,
  file: string,
  args: string[],
  input?: string
): Promise<void> {
  const { ok, output } = await run(identity, file, args, { cwd, input })
  if (ok) return
  throw new Error(`The embedded PostgreSQL could not be created (DATABASE_URL avoids it): ${output.trim()}`)
}

async function createPassword(home: string): Promise<string> {
  const draft = `${passwordFile(home)}.${randomBytes(6).toString('hex')}`
  const file = await open(draft, 'wx', 0o600)
  await file.writeFile(`${randomBytes(24).toString('base64url')}\n`)
  await file.sync()
  await file.close()
  // A link never replaces a password that another process has just made.
  await link(draft, passwordFile(home)).catch(ignoring('EEXIST'))
  await rm(draft)
  return (await readPassword(home)) ?? ''
}

async function publish(draft: string, cluster: string): Promise<void> {
  try {
    await rename(draft, cluster)
  } catch (error) {
    // Another process that started at the same time may have been faster.
    if (!(await exists(cluster))) throw error
  }
}

/** Removes what interrupted first starts have left behind, and spares one that may be under way. */
async function removeDrafts(home: string): Promise<void> {
  for (const name of await readdir(home)) {
    if (!name.startsWith('postgres.new-')) continue
    const found = await stat(join(home, name)).catch(ignoring('ENOENT'))
    const old = found !== undefined && Date.now() - found.mtimeMs > 600_000
    if (old) await rm(join(home, name), { recursive: true, force: true })
  }
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(ignoring('ENOENT'))) !== undefined
}

async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(path)
  await folder.sync()
  await folder.close()
}
