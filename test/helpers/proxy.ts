import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type NetConnectOpts, type Socket } from 'node:net'
import type { Test } from 'tap'

/** A network between a program and its database that a test can break. */
export interface Proxy {
  /** The connection string of the database behind it; stays the same whatever happens behind. */
  url: string
  /** Puts another server behind it. */
  leadTo(databaseUrl: string): void
  /** Breaks all connections and refuses new ones. */
  cut(): Promise<void>
  /** Keeps all connections, accepts new ones, and swallows every byte. */
  stall(): void
  /** Works again; what was swallowed stays lost. */
  restore(): Promise<void>
}

function targetOf(databaseUrl: string): NetConnectOpts {
  const { hostname, port, searchParams } = new URL(databaseUrl)
  const socket = searchParams.get('host')
  return socket
    ? { path: `${socket}/.s.PGSQL.${searchParams.get('port') ?? 5432}` }
    : { host: hostname, port: Number(port || 5432) }
}

/** Starts a proxy on a port of its own; it ends with the test. */
export async function proxyTo(t: Test, databaseUrl: string): Promise<Proxy> {
  let target = targetOf(databaseUrl)
  let stalled = false
  const open = new Set<Socket>()
  const pass = (from: Socket, to: Socket) => {
    open.add(from)
    from.on('data', chunk => stalled || to.write(chunk))
    from.on('error', () => undefined)
    from.on('close', () => {
      open.delete(from)
      to.destroy()
    })
  }
  const server = createServer(client => {
    const upstream = connect(target)
    pass(client, upstream)
    pass(upstream, client)
  })
  const breakAll = () => open.forEach(socket => socket.destroy())
  const listen = (port: number) => once(server.listen(port, '127.0.0.1'), 'listening')
  await listen(0)
  const { port } = server.address() as AddressInfo
  t.teardown(() => {
    breakAll()
    server.close()
  })
  const url = new URL(databaseUrl)
  url.search = ''
  url.hostname = '127.0.0.1'
  url.port = String(port)
  return {
    url: url.href,
    leadTo: other => void (target = targetOf(other)),
    async cut() {
      const closed = once(server.close(), 'close')
      breakAll()
      await closed
    },
    stall: () => void (stalled = true),
    async restore() {
      stalled = false
      breakAll()
      if (!server.listening) await listen(port)
    }
  }
}
