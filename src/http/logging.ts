import { pino, stdSerializers, type DestinationStream, type Logger } from 'pino'
import type { FastifyInstance } from 'fastify'

// What PostgreSQL adds to an error may quote a row; its code and message are enough to find the fault.
function err(error: Error): object {
  const { detail, where, hint, internalQuery, ...plain } = stdSerializers.err(error) as unknown as Record<
    string,
    unknown
  >
  void [detail, where, hint, internalQuery]
  return plain
}

/** The process's logger: JSON lines on stderr, without secrets and without what people typed. */
export function makeLogger(level: string, destination: DestinationStream = process.stderr): Logger {
  return pino(
    {
      level,
      serializers: { err },
      redact: {
        paths: ['*.authorization', '*.password', '*.key', '*.secret', '*.accessToken', '*.email', '*.phone'],
        censor: '[redacted]'
      }
    },
    destination
  )
}

/** One small line per request: the route, never the address, which may hold an e-mail or a partner's id. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', (request, reply, done) => {
    request.log.info(
      {
        method: request.method,
        route: request.routeOptions.url ?? null,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        workspace: request.principal?.workspaceId
      },
      'request'
    )
    done()
  })
}
