import { spawn } from 'node:child_process'
import { lchown, readFile, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'

/** As whom the server runs. PostgreSQL refuses to run as root, so root takes another identity. */
export interface Identity {
  /** this process is root: the server may be unable to walk to its files by path */
  root: boolean
  /** program and arguments put before every command line */
  prefix: string[]
  /** user and group to change to, if any */
  drop: { uid?: number; gid?: number }
}

/** Chooses as whom to run the server whose files are in `cluster`, a folder that need not exist yet. */
export async function chooseIdentity(cluster: string): Promise<Identity> {
  if (process.geteuid?.() !== 0) return { root: false, prefix: [], drop: {} }
  if (process.platform !== 'linux') {
    throw new Error(
      'The embedded PostgreSQL cannot run as root here: use an ordinary user, or set DATABASE_URL.'
    )
  }
  const owner = await stat(cluster).catch(() => undefined)
  if (owner !== undefined && owner.uid !== 0) {
    return { root: true, prefix: [], drop: { uid: owner.uid, gid: owner.gid } }
  }
  const account = await unprivilegedAccount()
  const prefix = ['unshare', '-U', `--map-user=${account.uid}`, `--map-group=${account.gid}`]
  const namespaced = { root: true, prefix, drop: {} }
  const { ok } = await run(namespaced, 'true', [], { cwd: '/' })
  return ok ? namespaced : { root: true, prefix: [], drop: account }
}

async function unprivilegedAccount(): Promise<{ uid: number; gid: number }> {
  // It must be in the list of users, because initdb looks its name up.
  const accounts = (await readFile('/etc/passwd', 'utf8'))
    .split('\n')
    .map(line => line.split(':'))
    .map(([name, , uid, gid]) => ({ name, uid: Number(uid), gid: Number(gid) }))
    .filter(({ uid, gid }) => uid > 0 && gid > 0)
  const account = accounts.find(({ name }) => name === 'nobody') ?? accounts[0]
  if (account === undefined) {
    throw new Error('PostgreSQL cannot run as root, and /etc/passwd names no other user. Set DATABASE_URL.')
  }
  return { uid: account.uid, gid: account.gid }
}

/** Gives everything in `cluster` to the identity, the folder itself last, so that an interrupted change is taken up again. */
export async function giveTo(identity: Identity, cluster: string): Promise<void> {
  const { uid, gid } = identity.drop
  if (uid === undefined || gid === undefined || (await stat(cluster)).uid === uid) return
  for (const path of await readdir(cluster, { recursive: true })) await lchown(join(cluster, path), uid, gid)
  await lchown(cluster, uid, gid)
}

/** How a program started by `commandOf` with the working directory `cluster` names that folder. */
export function referenceTo(identity: Identity, cluster: string): string {
  // The working directory is entered before privileges are dropped: it can be used
  // even where the path to it leads through folders that are closed to the server.
  return identity.root ? '/proc/self/cwd' : cluster
}

/** Arguments for `spawn` that run a program as the identity, in the folder `cwd`. */
export function commandOf(identity: Identity, program: string, args: string[], cwd: string) {
  const [file, ...rest] = [...identity.prefix, program, ...args] as [string, ...string[]]
  return { file, args: rest, options: { ...identity.drop, cwd, env: environment() } }
}

/** The environment of programs we start: what finding programs and libraries takes, and no settings or secrets of ours. */
export function environment(): NodeJS.ProcessEnv {
  const kept = ['PATH', 'LD_LIBRARY_PATH', 'SystemRoot', 'TEMP', 'TMP', 'TMPDIR']
  // eslint-disable-next-line no-restricted-properties -- handed on to programs, not read as configuration
  const inherited = Object.entries(process.env).filter(([name]) => kept.includes(name))
  return { ...Object.fromEntries(inherited), LC_ALL: 'C', TZ: 'UTC' }
}

/** Runs a program to its end. `ok` tells whether it could be started and ended with 0, `output` what it wrote or why it was not started. */
export function run(
  identity: Identity,
  program: string,
  args: string[],
  { cwd, input = '' }: { cwd: string; input?: string }
): Promise<{ ok: boolean; output: string }> {
  return new Promise(resolve => {
    const command = commandOf(identity, program, args, cwd)
    const child = spawn(command.file, command.args, { ...command.options, stdio: 'pipe' })
    let output = ''
    child.stdout.on('data', chunk => (output += String(chunk)))
    child.stderr.on('data', chunk => (output += String(chunk)))
    child.on('error', error => resolve({ ok: false, output: error.message }))
    child.on('close', code => resolve({ ok: code === 0, output }))
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
  })
}
