import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { urlOf, type Address } from './address.js'
import { clusterOf, readPassword } from './cluster.js'
import { codeOf, ignoring } from './errors.js'

/** What a server says about itself in its file postmaster.pid. */
export interface ServerFile {
  pid: number
  /** when the file was written, in ms since 1970 */
  written: number
  address: Address
  ready: boolean
}

/** A live server on a data directory. `orphan`: the process that started it is gone. */
export interface Occupant {
  file: ServerFile
  /** process that started the server, where it is known */
  starter?: number
  orphan: boolean
}

/** Setting in the server's command line that says for which directory and by which process it was started. */
export const marker = (home: string, pid: number) =>
  `kith.owner=${pid}:${createHash('sha256').update(home).digest('hex').slice(0, 16)}`

/** Reads postmaster.pid; undefined when there is none. */
export async function readServerFile(home: string): Promise<ServerFile | undefined> {
  const path = join(clusterOf(home), 'postmaster.pid')
  const found = await stat(path).catch(ignoring('ENOENT'))
  const text = await readFile(path, 'utf8').catch(ignoring('ENOENT'))
  const [pid = '', , , port = '', socket = '', , , status = ''] = text?.split('\n') ?? []
  if (found === undefined || !Number(pid)) return undefined
  const address = { port: Number(port), socket: socket.trim() !== '' }
  return { pid: Number(pid), written: found.mtimeMs, address, ready: status.trim() === 'ready' }
}

/** The live server on the data directory; undefined when there is none, or only what a dead one left behind. */
export async function findOccupant(home: string): Promise<Occupant | undefined> {
  const file = await readServerFile(home)
  if (file === undefined) return undefined
  const starter = await startedBy(home, file.pid)
  if (starter !== undefined) return { file, starter: starter.pid, orphan: !starter.alive }
  // Its process may be out of sight, in another container, yet its socket answers.
  return (await answers(home, file.address)) ? { file, orphan: false } : undefined
}

/** Which process started the server with this pid, and whether it lives on; undefined when the pid is no server of `home` (any more). */
export async function startedBy(
  home: string,
  pid: number
): Promise<{ pid: number; alive: boolean } | undefined> {
  const found = await processInfo(pid)
  const owner = Number(/\bkith\.owner=(\d+):/.exec(found?.command ?? '')?.[1])
  if (found === undefined || !found.command.includes(marker(home, owner))) return undefined
  // The system gives a process whose parent died to another: no pid can be mistaken for the starter.
  if (found.parent !== owner) return { pid: owner, alive: false }
  // But not before the parent's last thread has ended, and the server is told with the first.
  const parent = await processInfo(owner)
  return { pid: owner, alive: parent !== undefined && !/^[ZX]/.test(parent.state) }
}

interface ProcessInfo {
  parent: number
  /** one letter, as `ps` prints it: Z and X are dead */
  state: string
  command: string
}

async function processInfo(pid: number): Promise<ProcessInfo | undefined> {
  if (process.platform === 'win32') return undefined
  try {
    if (process.platform === 'linux') {
      const [status, command] = await Promise.all([
        readFile(`/proc/${pid}/stat`, 'utf8'),
        readFile(`/proc/${pid}/cmdline`, 'utf8')
      ])
      const [state = '', parent] = status.slice(status.lastIndexOf(')') + 2).split(' ')
      return { parent: Number(parent), state, command }
    }
    const { stdout } = await promisify(execFile)('ps', [
      '-ww',
      '-o',
      'ppid=,state=,command=',
      '-p',
      String(pid)
    ])
    const [, parent, state = '', command = ''] = /^\s*(\d+)\s+(\S+)\s+(.*)/.exec(stdout) ?? []
    return { parent: Number(parent), state, command }
  } catch {
    return undefined
  }
}

async function answers(home: string, address: Address): Promise<boolean> {
  // Never offer the password to whatever program has meanwhile taken a port.
  if (!address.socket && process.platform !== 'win32') return false
  const connectionString = urlOf(home, address, (await readPassword(home)) ?? '')
  const client = new pg.Client({ connectionString, connectionTimeoutMillis: 5000 })
  client.on('error', () => undefined)
  try {
    await client.connect()
    return true
  } catch (error) {
    return address.socket && !['ECONNREFUSED', 'ENOENT'].includes(codeOf(error) ?? '')
  } finally {
    await client.end()
  }
}
