import {
  destination as pinoDestination,
  pino,
  stdSerializers,
  type DestinationStream,
  type Logger
} from 'pino'
import type { FastifyInstance } from 'fastify'

// An error of the driver carries its connection and the statement, one of the server may quote a row: only these
// members are told.
function err(error: Error & { code?: unknown; constraint?: unknown }): object {
  const { type, message, stack } = stdSerializers.err(error)
  const { code, constraint } = error
  return {
    type,
    message,
    stack,
    ...(code !== undefined && { code }),
    ...(constraint !== undefined && { constraint })
  }
}

// Lines are written together, at the latest after this time; what is left is written when the process ends.
const flushEveryMs = 100
const standardError = () =>
  pinoDestination({ dest: 2, sync: false, minLength: 4096, periodicFlush: flushEveryMs })

/** The process's logger: JSON lines on stderr, without secrets and without what people typed. */
export function makeLogger(level: string, destination: DestinationStream = standardError()): Logger {
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
  // These members are ours, so none is looked for that has to be redacted: that would cost more than the line.
  const log = app.log.child({}, { redact: [] })
  app.addHook('onResponse', (request, reply, done) => {
    log.info(
      {
        reqId: request.id,
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
