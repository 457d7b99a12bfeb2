import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { eventually } from './http.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The command line program in a process of its own. */
export interface Program {
  pid: number
  stdout(): string
  stderr(): string
  kill(signal: NodeJS.Signals): void
  /** Its exit code, or the signal that ended it. */
  ended: Promise<number | NodeJS.Signals>
  /** Where it listens, once it does; rejects when it ends before. */
  origin(): Promise<string>
}

/** Starts `kith` with these arguments and nothing but these settings; it is killed when the test ends. */
export function kith(t: Test, args: string[], env: Record<string, string>): Program {
  const { PATH, HOME, TMPDIR } = process.env
  const child = spawn(process.execPath, ['src/cli.js', ...args], {
    cwd: root,
    env: { PATH, HOME, TMPDIR, PORT: '0', ...env },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', chunk => (output.stdout += String(chunk)))
  child.stderr.on('data', chunk => (output.stderr += String(chunk)))
  const ended = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | NodeJS.Signals)
  let over = false
  void ended.then(() => (over = true))
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  return {
    pid: child.pid!,
    stdout: () => output.stdout,
    stderr: () => output.stderr,
    kill: signal => void child.kill(signal),
    ended,
    origin: () =>
      eventually(
        'the program listens',
        () => {
          if (over) throw new Error(`It ended: ${output.stderr}`)
          return /listening at (http:[^"\s]+)/.exec(output.stderr)?.[1]
        },
        60
      )
  }
}

/** Runs a command to its end. */
export async function runKith(t: Test, args: string[], env: Record<string, string>) {
  const program = kith(t, args, env)
  return { code: await program.ended, stdout: program.stdout(), stderr: program.stderr() }
}

/** A folder that is gone when the test ends. */
export async function temporaryFolder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'kith-crash-'))
  t.teardown(() => rm(path, { recursive: true, force: true, maxRetries: 20 }))
  return path
}

/** The process of the embedded PostgreSQL on a data directory; undefined when it has none. */
export async function postgresPid(dataDir: string): Promise<number | undefined> {
  const file = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8').catch(() => undefined)
  return file === undefined ? undefined : parseInt(file)
}

/** Whether a process lives. */
export function alive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
