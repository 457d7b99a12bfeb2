import fastify, { LogController, type FastifyBaseLogger, type FastifyInstance } from 'fastify'
import { randomUUID } from 'node:crypto'
import { handleProtocols } from 'graphql-ws'
import type { Logger } from 'pino'
import type { Config } from './config.js'
import type { OpenDatabase } from './database/client.js'
import { authenticator } from './http/auth.js'
import { authenticateRequests, contextMaker } from './http/context.js'
import { answerMalformed, asKithError, sendError } from './http/errors.js'
import { docsRoutes } from './http/docs.js'
import { healthRoutes } from './http/health.js'
import { logRequests } from './http/logging.js'
import { readJson, refuseBadEscapes } from './http/parsing.js'
import { processMetrics } from './http/metrics.js'
import { rateLimits } from './http/rate-limit.js'
import { allowOrigins, commonHeaders } from './http/security.js'
import { urlProblem } from './jobs/addresses.js'
import { KithError } from './kernel/errors.js'
import { sequenceEvents } from './kernel/events.js'
import { watchEvents } from './jobs/watch.js'
import { allOperations } from './operations.js'
import { principalOfKey, principalOfUser } from './resources/identity/principals.js'
import type { SignToken } from './resources/identity/sign-in.js'
import { webSockets } from './http/sockets.js'
import { contracts } from './surfaces/contracts.js'
import { graphqlRoutes } from './surfaces/graphql-http.js'
import type { Access } from './surfaces/graphql-socket.js'
import { restRoutes } from './surfaces/rest.js'
import { version } from './version.js'

export interface AppOptions {
  config: Config
  database: OpenDatabase
  logger: Logger
  /** Whether the database has this program's migrations. */
  migrated: () => Promise<void>
}

export interface KithApp extends FastifyInstance {
  /** Makes readiness fail, ahead of a close. */
  drain(): void
}

const requestId = /^[A-Za-z0-9._-]{1,128}$/

function makeServer(loggerInstance: FastifyBaseLogger, trustProxy: string[]): FastifyInstance {
  return fastify({
    loggerInstance,
    trustProxy: trustProxy.length > 0 && trustProxy,
    logController: new LogController({ disableRequestLogging: true }),
    routerOptions: { maxParamLength: 512 },
    bodyLimit: 1024 * 1024,
    forceCloseConnections: 'idle',
    return503OnClosing: true,
    genReqId: request => {
      const given = request.headers['x-request-id']
      return typeof given === 'string' && requestId.test(given) ? given : randomUUID()
    },
    frameworkErrors: (error, request, reply) => void sendError(error, request, reply),
    clientErrorHandler: answerMalformed
  })
}

// A client that keeps its connection would send on it just when it closes, or hold up the end of the process.
function endConnections(app: FastifyInstance, draining: () => boolean): void {
  app.addHook('onSend', (_request, reply, _payload, done) => {
    if (draining()) void reply.header('connection', 'close')
    done()
  })
}

async function httpPlugins(app: FastifyInstance, config: Config): Promise<void> {
  app.setErrorHandler(sendError)
  app.setNotFoundHandler((request, reply) =>
    sendError(new KithError('not_found', 'There is no such path.'), request, reply)
  )
  commonHeaders(app)
  refuseBadEscapes(app)
  readJson(app)
  logRequests(app)
  await allowOrigins(app, config.corsOrigins)
}

/** Puts the program together: the http plugins, then the surfaces over the operations. Listens to nothing yet. */
export async function buildApp({ config, database, logger, migrated }: AppOptions): Promise<KithApp> {
  const app = makeServer(logger, config.trustProxy)
  let draining = false
  endConnections(app, () => draining)
  await httpPlugins(app, config)
  const authenticate = await authenticator(app, config, {
    ofKey: key => principalOfKey(database, key),
    ofUser: (workspace, subject, by) => principalOfUser(database, workspace, subject, by)
  })
  const count = await rateLimits(app, config.rateLimit)
  await webSockets(app, handleProtocols)
  authenticateRequests(app, authenticate, count)
  processMetrics(app, () => database.connections())
  healthRoutes(app, { ready: migrated, draining: () => draining })
  const sign: SignToken =
    config.jwtSecret === undefined
      ? undefined
      : (claims, seconds) => app.jwt.sign(claims, { expiresIn: seconds })
  const watch = watchEvents({ database, listen: (channel, onMessage) => database.listen(channel, onMessage) })
  app.addHook('preClose', () => watch.close())
  const snapshots = database.snapshots(config.figures)
  app.addHook('onClose', () => snapshots.close())
  const operations = allOperations({
    sign,
    snapshots,
    sequence: workspaceId => sequenceEvents(database, workspaceId),
    watch,
    checkUrl: url => urlProblem(url, config.webhooks.allowPrivate)
  })
  const surface = { operations, database, context: contextMaker(database, authenticate) }
  restRoutes(app, surface)
  const access: Access = {
    count,
    async authenticate(request, authorization) {
      request.principal = await authenticate(authorization)
    }
  }
  await graphqlRoutes(app, surface, access, asKithError)
  await docsRoutes(app, contracts(operations, version))
  return Object.assign(app, { drain: () => void (draining = true) })
}
