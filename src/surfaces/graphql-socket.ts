import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { WebSocket } from '@fastify/websocket'
import type { FastifyRequest } from 'fastify'
import type { ExecutionArgs, ExecutionResult, GraphQLError, GraphQLSchema } from 'graphql'
import { CloseCode, makeServer, type Context as SocketContext, type SubscribePayload } from 'graphql-ws'
import type { Context } from '../kernel/context.js'
import { KithError } from '../kernel/errors.js'
import { refuse } from '../kernel/validate.js'
import { checkRequest, type Prepare, type Prepared } from './graphql-execute.js'
import { toGraphQLError } from './graphql-resolvers.js'
import { Running } from './graphql-running.js'

/** Who may open a socket and go on using it; given by the program. */
export interface Access {
  /** Makes a request stand for whom an `Authorization` header names; throws a 401. */
  authenticate(request: FastifyRequest, authorization: string | undefined): Promise<void>
  /** Counts an operation; throws a 429. */
  count(request: FastifyRequest): Promise<unknown>
}

type Results = ExecutionResult | AsyncGenerator<ExecutionResult>

export interface SocketOptions {
  schema: GraphQLSchema
  access: Access
  prepare: Prepare
  run(request: FastifyRequest, context: { ctx: Context }, prepared: Prepared): Promise<Results>
  context(request: FastifyRequest): Context
  /** An error as one of ours; what is our fault is logged. */
  told(request: FastifyRequest, error: unknown): KithError
}

interface Extra {
  request: FastifyRequest
  socket: WebSocket
  /** Its operations that are at work, those that were completed but have not ended yet among them. */
  operations: Set<Running>
}
type Connection = SocketContext<Record<string, unknown> | undefined, Extra>
type Job = () => Promise<ExecutionResult | Running>

const operationsAtOnce = 50
const socketsPerCredential = 100
const pingMs = 30_000
const idleMs = 10 * 60_000
const finishMs = 5000
const closeMs = 1000

const closeCodes = { normal: 1000, goingAway: 1001, tryLater: 1013, internal: 1011 }

// Clients write the name either way.
function authorizationOf({ connectionParams, extra }: Connection): string | undefined {
  const given = connectionParams?.authorization ?? connectionParams?.Authorization
  return typeof given === 'string' ? given : extra.request.headers.authorization
}

// A peer that does not answer a ping until the next one is gone.
function keepAlive(socket: WebSocket): () => void {
  let answered = true
  socket.on('pong', () => (answered = true))
  const timer = setInterval(() => {
    if (!answered) return socket.terminate()
    answered = false
    socket.ping()
  }, pingMs)
  return () => clearInterval(timer)
}

function closeWhenIdle(connection: Connection): void {
  const { socket } = connection.extra
  let used = Date.now()
  socket.on('message', () => (used = Date.now()))
  const timer = setInterval(() => {
    const busy = Object.keys(connection.subscriptions).length > 0
    if (!busy && Date.now() - used >= idleMs) socket.close(closeCodes.normal, 'Nothing was asked for long.')
  }, idleMs / 10)
  socket.once('close', () => clearInterval(timer))
}

/**
 * GraphQL over WebSocket (`graphql-transport-ws`): an operation takes the same way as over HTTP, and its credential is
 * looked at again each time.
 */
export class GraphSockets {
  private readonly owners = new Map<WebSocket, string | null>()
  private readonly running = new Set<Promise<unknown>>()
  private closing = false
  private readonly server = makeServer<Record<string, unknown> | undefined, Extra>({
    onConnect: connection => this.admit(connection),
    onSubscribe: (connection, id, payload) => this.subscribe(connection, id, payload),
    execute: ({ contextValue }) => (contextValue as Job)(),
    subscribe: ({ contextValue }) => (contextValue as Job)()
  })

  constructor(private readonly options: SocketOptions) {}

  /** Serves a socket that was just opened. */
  readonly open = (socket: WebSocket, request: FastifyRequest): void => {
    const extra: Extra = { socket, request, operations: new Set() }
    this.owners.set(socket, null)
    const closed = this.server.opened(
      {
        protocol: socket.protocol,
        send: data => new Promise(resolve => socket.send(data, () => resolve())),
        close: (code, reason) => socket.close(code, reason),
        onMessage: listener =>
          void socket.on('message', data => {
            listener((data as Buffer).toString()).catch((error: unknown) => this.fail(extra, error))
          })
      },
      extra
    )
    const stopPinging = keepAlive(socket)
    socket.once('close', (code, reason) => {
      stopPinging()
      this.owners.delete(socket)
      void closed(code, String(reason))
    })
  }

  private fail({ socket, request }: Extra, error: unknown): void {
    const { status, message } = this.options.told(request, error)
    const code =
      status === 401 ? CloseCode.Forbidden : status === 503 ? closeCodes.tryLater : closeCodes.internal
    socket.close(code, message)
  }

  private async admit(connection: Connection): Promise<void> {
    const { socket, request } = connection.extra
    await this.options.access.authenticate(request, authorizationOf(connection))
    const owner = this.options.context(request).actor.id
    const open = [...this.owners.values()].filter(other => other === owner).length
    if (open >= socketsPerCredential)
      throw new KithError('unavailable', `At most ${socketsPerCredential} sockets for a credential.`)
    this.owners.set(socket, owner)
    closeWhenIdle(connection)
  }

  private async subscribe(
    connection: Connection,
    id: string,
    payload: SubscribePayload
  ): Promise<ExecutionArgs | GraphQLError[]> {
    const { operations } = connection.extra
    const operation: Running = new Running(() => operations.delete(operation))
    operations.add(operation)
    // Completed before it has answered, it is told so.
    connection.subscriptions[id] = operation
    const prepared = await this.prepare(connection, payload, operation)
    if (Array.isArray(prepared) || operation.signal.aborted) operations.delete(operation)
    return operation.unlessStopped(Promise.resolve(prepared))
  }

  private async prepare(
    connection: Connection,
    payload: SubscribePayload,
    operation: Running
  ): Promise<ExecutionArgs | GraphQLError[]> {
    const { access, context, prepare, run, schema, told } = this.options
    const { request } = connection.extra
    const refused = (error: unknown) => [
      toGraphQLError({ message: '', path: undefined, originalError: error as Error }, e => told(request, e))
    ]
    // Asked before anything is waited for, while those that came later do not count yet.
    const tooMany = connection.extra.operations.size > operationsAtOnce
    try {
      if (this.closing) throw new KithError('unavailable', 'The server is stopping.')
      await access.authenticate(request, authorizationOf(connection))
    } catch (error) {
      this.fail(connection.extra, error)
      return refused(error)
    }
    try {
      await access.count(request)
      if (tooMany)
        throw new KithError('rate_limited', `At most ${operationsAtOnce} operations at once on a socket.`)
      refuse(checkRequest(payload))
    } catch (error) {
      return refused(error)
    }
    const prepared = prepare(payload)
    if (Array.isArray(prepared)) return prepared
    const asked = context(request)
    const ctx: Context = {
      ...asked,
      requestId: randomUUID(),
      gone: () => AbortSignal.any([asked.gone!(), operation.signal]),
      async renew() {
        await access.authenticate(request, authorizationOf(connection))
        return context(request)
      }
    }
    const job: Job = () =>
      operation.unlessStopped(operation.run(() => this.track(run(request, { ctx }, prepared))))
    return { schema, document: prepared.document, operationName: payload.operationName, contextValue: job }
  }

  private async track(result: Promise<Results>): Promise<Results> {
    this.running.add(result)
    try {
      return await result
    } finally {
      this.running.delete(result)
    }
  }

  /** Finishes what is running, then closes every socket. */
  async close(): Promise<void> {
    this.closing = true
    const sockets = [...this.owners.keys()]
    await Promise.race([Promise.allSettled(this.running), sleep(finishMs, undefined, { ref: false })])
    // Results are sent right after they are there.
    await new Promise(setImmediate)
    for (const socket of sockets) socket.close(closeCodes.goingAway, 'The server is stopping.')
    void sleep(closeMs, undefined, { ref: false }).then(() => {
      for (const socket of sockets) socket.terminate()
    })
  }
}
