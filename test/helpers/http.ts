import { setTimeout as sleep } from 'node:timers/promises'
import type { TestApp } from './app.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- tests read answers freely

/** An answer as a client over the network got it. */
export interface Sent {
  status: number
  headers: Headers
  body: Json
  text: string
}

/** Sends a request over a connection of its own or an idle one; rejects when the connection breaks. */
export type Send = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>
) => Promise<Sent>

/** Sends to a listening server, with a key. */
export function sender(origin: string, key: string): Send {
  return async (method, path, body, headers = {}) => {
    const response = await fetch(origin + path, {
      method,
      headers: {
        authorization: `Bearer ${key}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers
      },
      ...(body !== undefined && { body: JSON.stringify(body) })
    })
    const text = await response.text()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? (JSON.parse(text) as Json) : {},
      text
    }
  }
}

/** Has the app listen on a free port, and answers how to send to it with its key. */
export async function listening(app: TestApp): Promise<Send> {
  return sender(await app.app.listen({ host: '127.0.0.1', port: 0 }), app.key)
}

/** Runs a task this many times at once. */
export const times = <T>(n: number, task: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: n }, (_, i) => task(i)))

/** How often each status was answered: `{ 200: 1, 412: 1 }`. */
export function statuses(answers: readonly { status: number }[]): Record<number, number> {
  const counts: Record<number, number> = {}
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1
  return counts
}

/** Every event of the feed after a sequence, page by page. */
export async function feed(send: Send, query = '', after = '0'): Promise<Json[]> {
  const events: Json[] = []
  for (;;) {
    const { status, body, text } = await send('GET', `/v1/events?limit=1000&after=${after}${query}`)
    if (status !== 200) throw new Error(`The feed answered ${status}: ${text}`)
    events.push(...(body.data as Json[]))
    if (!body.page.hasMore) return events
    after = body.page.nextCursor as string
  }
}

/** Asks until the answer is not undefined, or throws after so many seconds: far more than a busy machine needs. */
export async function eventually<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  seconds = 60
): Promise<T> {
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; await sleep(25)) {
    const answer = await ask()
    if (answer !== undefined) return answer
  }
  throw new Error(`Not within ${seconds} s: ${what}`)
}
