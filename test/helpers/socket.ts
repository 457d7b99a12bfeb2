import { once } from 'node:events'
import pg from 'pg'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import { WebSocket } from 'ws'
import { testApp } from './app.js'
import { eventually } from './http.js'

/** A socket, raw: what is not about the protocol goes through graphql-ws's own client. */
export interface Raw {
  send(message: object): void
  /** The next message. */
  next(): Promise<Record<string, unknown>>
  /** With which code it was closed. */
  closed: Promise<number>
}

/** The whole program, listening. */
export async function listen(t: Test, env: Record<string, string> = {}) {
  const program = await testApp(t, env)
  const origin = await program.app.listen({ host: '127.0.0.1', port: 0 })
  return { ...program, databaseUrl: program.url, origin, url: `${origin.replace('http', 'ws')}/graphql` }
}

/** Opens a socket. */
export async function raw(
  t: Test,
  url: string,
  headers = {},
  protocol = 'graphql-transport-ws'
): Promise<Raw> {
  const socket = new WebSocket(url, protocol, { headers })
  const messages: Record<string, unknown>[] = []
  socket.on('message', data => messages.push(JSON.parse((data as Buffer).toString())))
  const closed = new Promise<number>(resolve => socket.on('close', resolve))
  t.teardown(() => socket.terminate())
  await once(socket, 'open')
  return {
    send: message => socket.send(JSON.stringify(message)),
    async next() {
      for (let waited = 0; messages.length === 0 && waited < 5000; waited += 5) await sleep(5)
      return messages.shift()!
    },
    closed
  }
}

/** Opens a socket and shows it a token. */
export async function admitted(t: Test, url: string, token: string): Promise<Raw> {
  const socket = await raw(t, url)
  socket.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } })
  t.match(await socket.next(), { type: 'connection_ack' })
  return socket
}

/** Keeps statements about contacts waiting until it is released. */
export async function locked(databaseUrl: string) {
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  await client.query('begin; lock table contacts in access exclusive mode')
  return {
    waited: () =>
      eventually('a statement waits', async () => {
        const { rowCount } = await client.query('select from pg_locks where not granted')
        return rowCount || undefined
      }),
    async release() {
      await client.query('rollback')
      await client.end()
    }
  }
}

/** The message that asks for an operation. */
export const ask = (id: string, query: string, variables?: object) => ({
  id,
  type: 'subscribe',
  payload: { query, ...(variables && { variables }) }
})
