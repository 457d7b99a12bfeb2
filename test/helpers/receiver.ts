import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Test } from 'tap'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- tests read events freely

/** A request as an endpoint got it. */
export interface Received {
  path: string
  headers: IncomingHttpHeaders
  /** The bytes as they came. */
  raw: string
  event: Json
}

/** What to do with a request: answer a status, or as the function likes. */
export type Behaviour = (
  got: Received,
  response: ServerResponse,
  request: IncomingMessage
) => number | undefined | Promise<number | undefined>

export interface Receiver {
  url: string
  /** All requests, in the order in which they came. */
  got: Received[]
  /** How requests are answered from now on; 200 unless said. */
  behave(how: Behaviour): void
  /** The requests to a path. */
  at(path: string): Received[]
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString()
}

/** An endpoint on a free port of this machine; gone when the test ends. */
export async function receiver(t: Pick<Test, 'teardown'>): Promise<Receiver> {
  const got: Received[] = []
  let behaviour: Behaviour = () => 200
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const raw = await bodyOf(request)
    const received = { path: request.url!, headers: request.headers, raw, event: JSON.parse(raw) as Json }
    got.push(received)
    const status = await behaviour(received, response, request)
    if (status !== undefined) response.writeHead(status).end()
  }
  const server = createServer((request, response) => {
    handle(request, response).catch(() => response.destroy())
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    got,
    behave: how => void (behaviour = how),
    at: path => got.filter(r => r.path === path)
  }
}
