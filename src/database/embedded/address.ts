import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { clusterOf } from './cluster.js'

/** Where a server listens: on a socket in its own folder, or on a port of 127.0.0.1. */
export interface Address {
  /** for a socket only a part of its name */
  port: number
  socket: boolean
}

/** Connection URL of a database of the server. */
export function urlOf(home: string, address: Address, password: string, database = 'kith'): string {
  const host = address.socket ? 'localhost' : `127.0.0.1:${address.port}`
  const query = address.socket ? `?host=${encodeURIComponent(clusterOf(home))}&port=${address.port}` : ''
  return `postgres://kith:${password}@${host}/${database}${query}`
}

/** Longest socket path that every system takes, in bytes (macOS 103, Linux 107). */
const SOCKET_PATH_MAX = 103

/** Chooses a socket where sockets work, as they are faster than TCP and closed to other users, else a free port. */
export async function chooseAddress(home: string): Promise<Address> {
  const cluster = clusterOf(home)
  const length = Buffer.byteLength(join(cluster, '.s.PGSQL.5432'))
  const socket = process.platform !== 'win32' && length <= SOCKET_PATH_MAX && (await socketsWork(cluster))
  return { port: socket ? 5432 : await freePort(), socket }
}

/** Some mounted file systems have no sockets. */
async function socketsWork(folder: string): Promise<boolean> {
  const path = join(folder, `.${randomBytes(4).toString('hex')}`)
  const probe = createServer(socket => socket.destroy())
  try {
    await once(probe.listen(path), 'listening')
    const client = connect(path)
    await once(client, 'connect')
    client.destroy()
    return true
  } catch {
    return false
  } finally {
    probe.close()
  }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await once(probe.listen(0, '127.0.0.1'), 'listening')
  const { port } = probe.address() as AddressInfo
  await once(probe.close(), 'close')
  return port
}
