import { randomUUID } from 'node:crypto'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { codes, KithError, problem, type Code } from '../kernel/errors.js'

const byStatus = new Map<number, Code>([
  [400, 'bad_request'],
  [404, 'not_found'],
  [405, 'method_not_allowed'],
  [413, 'payload_too_large'],
  [414, 'uri_too_long'],
  [415, 'unsupported_media_type'],
  [431, 'headers_too_large'],
  [503, 'unavailable']
])

const ofFastify = new Map<string, Code>([
  ['FST_ERR_CTP_INVALID_JSON_BODY', 'invalid_json'],
  ['FST_ERR_CTP_EMPTY_JSON_BODY', 'invalid_json'],
  ['FST_ERR_MAX_PARAM_LENGTH', 'uri_too_long']
])

/** Any error as one of ours; what is not a client's fault or a known outage becomes `internal`. */
export function asKithError(error: unknown): KithError {
  if (error instanceof KithError) return error
  const { statusCode, code, message } = error as Partial<FastifyError>
  const known = ofFastify.get(code ?? '') ?? byStatus.get(statusCode ?? 500)
  if (known) return new KithError(known, known === 'unavailable' ? undefined : message, { cause: error })
  return statusCode !== undefined && statusCode < 500
    ? new KithError('bad_request', message, { cause: error })
    : new KithError('internal', undefined, { cause: error })
}

/** The problem document of RFC 9457. */
export function problemDocument(error: KithError, instance: string, requestId: string) {
  return { ...problem(error), instance, requestId }
}

const authenticate = 'Bearer realm="kith"'

/** Answers an error as problem+json; faults of ours are logged with their cause, never told. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = asKithError(error)
  if (known.status === 500) request.log.error({ err: known.cause ?? error }, known.code)
  else if (known.status > 500) request.log.warn({ code: known.code }, known.message)
  if (known.code === 'unauthenticated') void reply.header('www-authenticate', authenticate)
  if (known.status === 503 && !known.headers['retry-after']) void reply.header('retry-after', '1')
  const path = request.url.split('?')[0]!
  return reply
    .code(known.status)
    .headers(known.headers)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .header('x-request-id', request.id)
    .header('cache-control', 'no-store')
    .send(JSON.stringify(problemDocument(known, path, request.id)))
}

const malformed: Record<string, Code> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'bad_request'
}

interface Socket {
  writable: boolean
  end(text: string): void
  destroy(): void
}

/** What the HTTP parser cannot read gets a problem document too, written by hand: there is no request to reply to. */
export function answerMalformed(error: { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') return socket.destroy()
  const known = new KithError(
    malformed[error.code ?? ''] ?? 'bad_request',
    'This is not HTTP as we understand it.'
  )
  const requestId = randomUUID()
  const body = JSON.stringify({ ...problem(known), requestId })
  socket.end(
    `HTTP/1.1 ${known.status} ${codes[known.code][1]}\r\ncontent-type: application/problem+json; charset=utf-8\r\n` +
      `x-request-id: ${requestId}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  )
}
