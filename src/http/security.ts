import cors from '@fastify/cors'
import type { FastifyInstance } from 'fastify'

// https://cheatsheetseries.owasp.org/cheatsheets/REST_Security_Cheat_Sheet.html#security-headers
const headers = {
  'cache-control': 'private, no-cache',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY'
}

/** What every answer carries: its request id, and what keeps browsers from doing more with it than asked. */
export function commonHeaders(app: FastifyInstance): void {
  app.addHook('onRequest', (request, reply, done) => {
    void reply.headers(headers).header('x-request-id', request.id)
    done()
  })
}

const exposedHeaders = [
  'ETag',
  'Link',
  'Location',
  'Idempotency-Replayed',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'X-Request-Id'
]

/** Lets pages of these origins call from a browser; without any, none may. */
export async function allowOrigins(app: FastifyInstance, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return
  await app.register(cors, {
    // Strict, it answers a plain OPTIONS with a text of its own.
    strictPreflight: false,
    origin: origins.includes('*') ? '*' : [...origins],
    exposedHeaders
  })
}
