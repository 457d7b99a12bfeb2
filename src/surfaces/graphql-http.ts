import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { GraphQLError, OperationTypeNode, type ExecutionResult } from 'graphql'
import mercurius from 'mercurius'
import { KithError, parameterError } from '../kernel/errors.js'
import { refuse } from '../kernel/validate.js'
import { graphqlSchema } from './graphql.js'
import { checkRequest, preparer, type GraphRequest, type Prepared } from './graphql-execute.js'
import { GraphSockets, type Access, type SocketOptions } from './graphql-socket.js'
import { compiled, Documents } from './graphql-validation.js'
import { refuseOtherMethods, type SurfaceOptions } from './rest.js'

const graphqlJson = 'application/graphql-response+json'

// Which media type the client would rather have; undefined where it wants neither.
function mediaType(request: FastifyRequest): string | undefined {
  const accept = request.headers.accept ?? '*/*'
  const wanted = accept.split(',').map(part => part.split(';')[0]!.trim().toLowerCase())
  const first = wanted.find(t => [graphqlJson, 'application/json', 'application/*', '*/*'].includes(t))
  return first === undefined ? undefined : first === graphqlJson ? graphqlJson : 'application/json'
}

function jsonParameter(query: Record<string, unknown>, name: string): unknown {
  const text = query[name]
  if (typeof text !== 'string' || text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw parameterError(name, `${name} is not JSON.`, 'invalid_json')
  }
}

function requestOf(request: FastifyRequest): GraphRequest {
  if (request.method === 'POST') {
    refuse(checkRequest(request.body))
    return request.body as GraphRequest
  }
  const query = request.query as Record<string, unknown>
  const found = {
    ...query,
    ...(query.variables !== undefined && { variables: jsonParameter(query, 'variables') }),
    ...(query.extensions !== undefined && { extensions: jsonParameter(query, 'extensions') })
  }
  refuse(
    checkRequest(found).map(({ pointer, ...item }) => ({
      ...item,
      in: 'query',
      parameter: pointer!.slice(1)
    }))
  )
  // Its form was checked right above, by a schema that the types do not see.
  return found as unknown as GraphRequest
}

const forSockets = () =>
  new GraphQLError('Subscriptions are for WebSocket.', { extensions: { code: 'bad_request', status: 400 } })

// Errors are translated below, where their causes are still attached.
const asTheyAre = (result: ExecutionResult) => ({ statusCode: 200, response: result })

function statusOf(result: ExecutionResult, type: string): number {
  const refused = result.data === undefined
  if (!refused || type !== graphqlJson) return 200
  const status = result.errors?.[0]?.extensions.status
  return typeof status === 'number' ? status : 400
}

function refuseMutation(request: FastifyRequest, { kind }: Prepared): void {
  if (request.method !== 'GET' || kind !== OperationTypeNode.MUTATION) return
  throw new KithError('method_not_allowed', 'Mutations are sent by POST.', { headers: { allow: 'POST' } })
}

function send(reply: FastifyReply, result: ExecutionResult, type: string): FastifyReply {
  const { errors, data, extensions } = result
  const body = {
    ...(errors && { errors }),
    ...(data !== undefined && { data }),
    ...(extensions && { extensions })
  }
  return sendText(reply.code(statusOf(result, type)), JSON.stringify(body), type)
}

const sendText = (reply: FastifyReply, text: string, type: string): FastifyReply =>
  reply.header('content-type', `${type}; charset=utf-8`).send(text)

/** /graphql: POST, GET for queries, and GET for a socket. */
export async function graphqlRoutes(
  app: FastifyInstance,
  options: SurfaceOptions,
  access: Access,
  asKithError: (error: unknown) => KithError
): Promise<void> {
  const schema = graphqlSchema(options.operations)
  await app.register(mercurius, {
    schema,
    routes: false,
    jit: 1,
    cache: compiled.documents,
    graphiql: false,
    errorFormatter: asTheyAre
  })
  const prepare = preparer(app, schema, new Documents(schema))
  const told = (request: FastifyRequest, error: unknown) => {
    const known = asKithError(error)
    if (known.status >= 500) request.log.error({ err: known.cause ?? error }, known.code)
    return known
  }
  const run: SocketOptions['run'] = (request, context, prepared) =>
    prepared.run({ ...context, database: options.database }, e => told(request, e))
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const type = mediaType(request)
    if (type === undefined) throw new KithError('not_acceptable')
    const given = requestOf(request)
    const ctx = options.context(request)
    const prepared = prepare(given)
    if (Array.isArray(prepared)) return send(reply, { errors: prepared }, type)
    refuseMutation(request, prepared)
    if (prepared.kind === OperationTypeNode.SUBSCRIPTION) return send(reply, { errors: [forSockets()] }, type)
    const text = await prepared.write(ctx)
    if (text !== undefined) return sendText(reply, text, type)
    return send(reply, (await run(request, { ctx }, prepared)) as ExecutionResult, type)
  }
  const sockets = new GraphSockets({ schema, access, prepare, run, context: options.context, told })
  const url = '/graphql'
  const config = { authenticated: true }
  refuseOtherMethods(app, url, ['GET', 'POST'])
  app.post(url, { config }, handler)
  app.route({ method: 'GET', url, config, handler, wsHandler: sockets.open })
  app.addHook('preClose', () => sockets.close())
}
