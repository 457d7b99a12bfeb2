import { lookup as resolve, type LookupAddress } from 'node:dns'
import type { LookupFunction } from 'node:net'
import { Agent } from 'undici'
import { isPublic, urlProblem } from './addresses.js'

const keptBytes = 4096

export interface EgressOptions {
  /** Lets requests go to private addresses and over plain http. */
  allowPrivate: boolean
  /** From the start of a request to the end of its answer. */
  timeoutMs: number
}

/** What came back: the status and the beginning of the body. */
export interface Answer {
  status: number
  headers: Record<string, string | string[] | undefined>
  body: string
}

/** The request was not sent, or nothing came back in time; the message may be shown to the endpoint's owner. */
export class EgressError extends Error {}

/** The only way from Kith to addresses that its users give. */
export interface Egress {
  post(url: string, headers: Record<string, string>, body: string): Promise<Answer>
  close(): Promise<void>
}

// Checked where the connection is made, with the very addresses it is made to: a name that changes its mind between
// a check and the connection gains nothing.
const guardedLookup: LookupFunction = (hostname, options, callback) => {
  resolve(hostname, { ...options, all: true }, (error, found: LookupAddress[]) => {
    if (error) return callback(error, '')
    const refused = found.find(({ address }) => !isPublic(address))
    if (refused || found.length === 0) {
      return callback(new EgressError(`${hostname} does not lead to the public internet.`), '')
    }
    if (options.all) return callback(null, found)
    callback(null, found[0]!.address, found[0]!.family)
  })
}

// The status has told by then how it went: a body that breaks off or takes too long is kept as far as it came.
async function beginning(stream: AsyncIterable<Buffer> & { destroy(): unknown }): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of stream) {
      chunks.push(chunk)
      size += chunk.length
      if (size >= keptBytes) break
    }
  } catch {
    // See above.
  }
  stream.destroy()
  const text = new TextDecoder().decode(Buffer.concat(chunks).subarray(0, keptBytes))
  // PostgreSQL keeps no NUL in text.
  return text.replaceAll('\0', '\uFFFD')
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'The connection was refused.',
  ECONNRESET: 'The connection was reset.',
  UND_ERR_SOCKET: 'The connection was closed without an answer.',
  ENOTFOUND: 'The name of the host is not known.',
  EAI_AGAIN: 'The name of the host could not be looked up.',
  EHOSTUNREACH: 'The host cannot be reached.',
  ENETUNREACH: 'The host cannot be reached.',
  ETIMEDOUT: 'No connection was made in time.',
  UND_ERR_CONNECT_TIMEOUT: 'No connection was made in time.',
  UND_ERR_HEADERS_OVERFLOW: 'The headers of the answer are too large.',
  ERR_ASSERTION: 'The answer is not valid HTTP.'
}

const kinds: [RegExp, string][] = [
  [/CERT|UNABLE_TO_VERIFY/, 'The certificate of the host is not accepted'],
  [/SSL|TLS|EPROTO/, 'No TLS connection was made'],
  [/^HPE_/, 'The answer is not valid HTTP']
]

// What libraries say of their inside is of no use to the endpoint's owner.
function reasonOf(code: string): string {
  const kind = kinds.find(([pattern]) => pattern.test(code))?.[1] ?? 'The request failed'
  return reasons[code] ?? (code === '' ? `${kind}.` : `${kind} (${code}).`)
}

function explain(error: unknown, timeoutMs: number): EgressError {
  const { name, code, cause } = error as Error & { code?: unknown }
  if (cause instanceof EgressError) return cause
  if (error instanceof EgressError) return error
  if (name === 'TimeoutError') return new EgressError(`No answer within ${timeoutMs} ms.`)
  return new EgressError(reasonOf(typeof code === 'string' ? code : ''))
}

/** Opens the client. It follows no redirect, keeps 4 KiB of an answer, and closes a connection that sends on. */
export function openEgress({ allowPrivate, timeoutMs }: EgressOptions): Egress {
  const agent = new Agent({
    connect: { timeout: timeoutMs, ...(!allowPrivate && { lookup: guardedLookup }) },
    // One signal bounds the whole of a request.
    headersTimeout: 0,
    bodyTimeout: 0,
    maxHeaderSize: 16384
  })
  return {
    async post(text, headers, body) {
      // A connection to an address by number asks no lookup, so it is refused here.
      const problem = urlProblem(text, allowPrivate)
      if (problem !== undefined) throw new EgressError(problem)
      const { origin, pathname, search } = new URL(text)
      const signal = AbortSignal.timeout(timeoutMs)
      try {
        const answer = await agent.request({
          origin,
          path: pathname + search,
          method: 'POST',
          headers,
          body,
          signal
        })
        return { status: answer.statusCode, headers: answer.headers, body: await beginning(answer.body) }
      } catch (error) {
        throw explain(error, timeoutMs)
      }
    },
    close: () => agent.destroy()
  }
}
