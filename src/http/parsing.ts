import type { FastifyInstance } from 'fastify'
import { KithError } from '../kernel/errors.js'

const utf8 = new TextDecoder('utf-8', { fatal: true })

function decode(body: Buffer): string {
  try {
    return utf8.decode(body)
  } catch {
    throw new KithError('invalid_json', 'The body is not UTF-8.')
  }
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
    try {
      decodeURIComponent(request.url.replaceAll('+', ' '))
      done()
    } catch {
      done(new KithError('bad_request', 'The address has a malformed percent escape.'))
    }
  })
}
