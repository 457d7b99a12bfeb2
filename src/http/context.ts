import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { Context, Database, Principal } from '../kernel/context.js'
import { parameterError } from '../kernel/errors.js'
import type { Operation } from '../kernel/operation.js'
import type { Count } from './rate-limit.js'

declare module 'fastify' {
  interface FastifyRequest {
    principal: Principal | null
  }
  interface FastifyContextConfig {
    /** The operation behind a route; one that is not public needs a credential. */
    operation?: Operation
    /** A route without an operation that needs a credential all the same. */
    authenticated?: boolean
    /** A route that orchestrators ask all the time. */
    unlimited?: boolean
  }
}

// Somebody who has not signed in yet belongs to no workspace and may do nothing.
const nobody: Principal = {
  workspaceId: '00000000-0000-0000-0000-000000000000',
  actor: { type: 'system', id: null },
  userId: null,
  scopes: new Set(),
  rowScope: 'own',
  owners: []
}

/** Answers who an `Authorization` header stands for; throws a 401. */
export type Authenticate = (authorization: string | undefined) => Principal | Promise<Principal>

/** Authenticates and counts requests before a body is read, so that strangers cost little. */
export function authenticateRequests(app: FastifyInstance, authenticate: Authenticate, count: Count): void {
  app.decorateRequest('principal', null)
  app.addHook('onRequest', async (request, reply) => {
    const { operation, authenticated, unlimited } = request.routeOptions.config
    let refused: Error | undefined
    // A socket may bring its credential later, in a message.
    const later = request.ws && request.headers.authorization === undefined
    if ((authenticated && !later) || (operation && operation.permission !== 'public')) {
      try {
        request.principal = await authenticate(request.headers.authorization)
      } catch (error) {
        refused = error as Error
      }
    }
    if (!unlimited) void reply.headers(await count(request))
    if (refused) throw refused
  })
}

function idempotencyKey(request: FastifyRequest): string | null {
  const header = request.headers['idempotency-key']
  if (header === undefined || request.method === 'GET') return null
  if (request.principal === null) {
    throw parameterError('Idempotency-Key', 'This call takes no Idempotency-Key.', 'not_allowed', 'header')
  }
  if (typeof header !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(header)) {
    throw parameterError('Idempotency-Key', 'Give 1 to 255 visible characters.', 'invalid', 'header')
  }
  return header
}

const leaving = new WeakMap<object, AbortSignal>()

// Made only where an operation asks, so that the others do not pay for it; and once for all requests of a connection,
// which may be kept for days.
function goneSignal({ raw: { socket } }: FastifyRequest): AbortSignal {
  const known = leaving.get(socket)
  if (known) return known
  const controller = new AbortController()
  socket.once('close', () => controller.abort())
  leaving.set(socket, controller.signal)
  return controller.signal
}

/** Makes the context of a request: who, for which workspace, under which request id and key. */
export const contextMaker =
  (db: Database, authenticate: Authenticate) =>
  (request: FastifyRequest): Context => ({
    ...(request.principal ?? nobody),
    requestId: request.id,
    idempotencyKey: idempotencyKey(request),
    gone: () => goneSignal(request),
    renew: async () => authenticate(request.headers.authorization),
    db
  })
