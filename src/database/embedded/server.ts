import { spawn, type ChildProcess, type StdioOptions } from 'node:child_process'
import { open, readFile, rename } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { chooseAddress, type Address } from './address.js'
import { program, type Binaries } from './binaries.js'
import { clusterOf } from './cluster.js'
import { ignoring } from './errors.js'
import { commandOf, environment, referenceTo, run, type Identity } from './identity.js'
import { marker, readServerFile, type ServerFile } from './occupant.js'

/** What a start of the server needs to know. `stale`: a left-over postmaster.pid, known to be of no live server. */
export interface Launch {
  home: string
  identity: Identity
  binaries: Binaries
  stale: ServerFile | undefined
  log: (message: string) => void
}

/** A server that accepts connections. */
export interface Server {
  address: Address
  /** resolves, with how it ended, when the server has ended */
  ended: Promise<string>
  stop(): Promise<void>
}

/** Path of the server's log, which holds the run since the last start. */
export const logFile = (home: string) => join(home, 'postgres.log')

/** Starts the server and waits until it accepts connections. Retries while remainders of an earlier server are about to go. */
export async function launch(options: Launch): Promise<Server> {
  await rename(logFile(options.home), `${logFile(options.home)}.1`).catch(ignoring('ENOENT'))
  const deadline = Date.now() + 10_000
  for (;;) {
    try {
      return await launchOnce(options, await chooseAddress(options.home))
    } catch (error) {
      const passing = /pre-existing shared memory block|Address already in use/.test(String(error))
      if (!passing || Date.now() > deadline) throw error
      await sleep(100)
    }
  }
}

async function launchOnce(options: Launch, address: Address): Promise<Server> {
  const { home, identity, binaries, stale, log } = options
  const output = await open(logFile(home), 'a', 0o600)
  await output.truncate()
  const args = ['-D', referenceTo(identity, clusterOf(home)), ...settings(home, address)]
  const command = commandOf(identity, program(binaries, 'postgres'), args, clusterOf(home))
  // PostgreSQL takes a left-over lock file for its own if the pid in it, perhaps in use
  // again by some other program, is the one named here. Its other interlocks still hold.
  const env = { ...command.options.env, ...(stale && { PG_GRANDPARENT_PID: String(stale.pid) }) }
  // Detached, so that Ctrl-C reaches this process only, which stops the server when its work is done.
  const stdio: StdioOptions = ['ignore', output.fd, output.fd]
  const child = spawn(command.file, command.args, { ...command.options, env, stdio, detached: true })
  const ended = endOf(child)
  if (child.pid !== undefined) void ended.then(stopWhenWeDie(child.pid, log))
  await output.close()
  await ready(options, child.pid, ended)
  return { address, ended, stop: () => stopServer(home, identity, binaries, child) }
}

function settings(home: string, { port, socket }: Address): string[] {
  const values = [
    marker(home, process.pid),
    `port=${port}`,
    `listen_addresses=${socket ? '' : '127.0.0.1'}`,
    // Relative to the server's folder, which keeps the server's side of the path short.
    `unix_socket_directories=${socket ? '.' : ''}`,
    'fsync=on',
    'synchronous_commit=on',
    'full_page_writes=on'
  ]
  return values.flatMap(value => ['-c', value])
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) => resolve(`ended with ${signal ?? `code ${code}`}`))
  })
}

async function ready(
  { home, stale }: Launch,
  pid: number | undefined,
  ended: Promise<string>
): Promise<void> {
  let failure: string | undefined
  void ended.then(detail => (failure = detail))
  while (failure === undefined) {
    const file = await readServerFile(home)
    // In a container that starts again even the pid can be the one of last time.
    if (file?.ready && file.pid === pid && file.written !== stale?.written) return
    await sleep(10)
  }
  const written = (await readFile(logFile(home), 'utf8')).slice(-2000).trim()
  throw new Error(`The embedded PostgreSQL in ${home} did not start (${failure}): ${written}`)
}

async function stopServer(
  home: string,
  identity: Identity,
  binaries: Binaries,
  child: ChildProcess
): Promise<void> {
  const gone = () => Promise.resolve(child.exitCode !== null || child.signalCode !== null)
  if (process.platform === 'win32') {
    const args = ['stop', '-m', 'fast', '-D', clusterOf(home)]
    await run(identity, program(binaries, 'pg_ctl'), args, { cwd: home })
  }
  if (child.pid !== undefined) await endServer(child.pid, gone)
}

/** Ends a server: first cleanly, open transactions being rolled back, then ever harder. Rejects when it cannot be ended. */
export async function endServer(pid: number, gone: () => Promise<boolean>): Promise<void> {
  const steps = [
    ['SIGINT', 30_000],
    ['SIGQUIT', 5000],
    ['SIGKILL', 5000]
  ] as const
  for (const [signal, patience] of steps) {
    if (await gone()) return
    try {
      process.kill(pid, signal)
    } catch (error) {
      ignoring('ESRCH')(error)
    }
    const deadline = Date.now() + patience
    while (!(await gone()) && Date.now() < deadline) await sleep(10)
  }
  if (!(await gone())) throw new Error(`The embedded PostgreSQL (pid ${pid}) cannot be stopped.`)
}

/** Has the server stopped when this process ends without doing so, even by SIGKILL. Returns how to call it off. */
function stopWhenWeDie(pid: number, log: (message: string) => void): () => void {
  if (process.platform === 'win32') return () => undefined
  const script = 'read -r line || kill -INT "$0"'
  const watcher = spawn('sh', ['-c', script, String(pid)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: environment()
  })
  watcher.on('error', error =>
    log(`the embedded PostgreSQL will outlive a crash of this process: ${error.message}`)
  )
  watcher.stdin.on('error', () => undefined)
  watcher.unref()
  ;(watcher.stdin as Socket).unref()
  return () => watcher.stdin.end('\n')
}
