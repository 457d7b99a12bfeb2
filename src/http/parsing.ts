import { isUtf8 } from 'node:buffer'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { KithError } from '../kernel/errors.js'

function decode(body: Buffer): string {
  if (isUtf8(body)) return body.toString()
  throw new KithError('invalid_json', 'The body is not UTF-8.')
}

// RFC 9110 asks for a 415 where the coding of a body is not supported, not only its type.
function checkCoding({ headers }: FastifyRequest): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(headers['content-type'] ?? '')?.[1]
  const coding = headers['content-encoding'] ?? 'identity'
  if ((charset ?? 'utf-8').toLowerCase() === 'utf-8' && coding.toLowerCase() === 'identity') return
  throw new KithError('unsupported_media_type', 'Send JSON in UTF-8, not compressed.')
}

/** Reads JSON bodies: UTF-8 or nothing, no `__proto__`; an empty body is no body. */
export function readJson(app: FastifyInstance): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    ['application/json', 'application/merge-patch+json'],
    { parseAs: 'buffer' },
    (request, body, done) => {
      if (body.length === 0) return done(null, undefined)
      try {
        checkCoding(request)
        void parse(request, decode(body as Buffer), done)
      } catch (error) {
        done(error as Error)
      }
    }
  )
}

/** Refuses an address whose percent escapes are not UTF-8, wherever they stand. */
export function refuseBadEscapes(app: FastifyInstance): void {
  app.addHook('onRequest', (request, _reply, done) => {
    if (!request.url.includes('%')) return done()
    try {
      decodeURIComponent(request.url.replaceAll('+', ' '))
      done()
    } catch {
      done(new KithError('bad_request', 'The address has a malformed percent escape.'))
    }
  })
}
