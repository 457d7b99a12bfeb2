import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { OperationTypeNode, type ExecutionResult } from 'graphql'
import mercurius from 'mercurius'
import { KithError, parameterError } from '../kernel/errors.js'
import { refuse } from '../kernel/validate.js'
import { graphqlSchema } from './graphql.js'
import { checkRequest, executor, type Answer, type GraphRequest } from './graphql-execute.js'
import { Loaders } from './graphql-loaders.js'
import type { GraphContext } from './graphql-resolvers.js'
import { Documents, operationOf } from './graphql-validation.js'
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
  return found as unknown as GraphRequest
}

// Errors are translated below, where their causes are still attached.
const asTheyAre = (result: ExecutionResult) => ({ statusCode: 200, response: result })

function statusOf({ refused, result }: Answer, type: string): number {
  if (!refused || type !== graphqlJson) return 200
  const status = result.errors?.[0]?.extensions.status
  return typeof status === 'number' ? status : 400
}

function refuseMutation(
  documents: Documents,
  request: FastifyRequest,
  { query, operationName }: GraphRequest
): void {
  if (request.method !== 'GET') return
  const { document } = documents.check(query)
  const operation = document && operationOf(document, operationName ?? undefined)
  if (!operation || operation.operation === OperationTypeNode.QUERY) return
  throw new KithError('method_not_allowed', 'Mutations are sent by POST.', { headers: { allow: 'POST' } })
}

function send(reply: FastifyReply, answer: Answer, type: string): FastifyReply {
  const { errors, data, extensions } = answer.result
  const body = {
    ...(errors && { errors }),
    ...(data !== undefined && { data }),
    ...(extensions && { extensions })
  }
  return reply
    .code(statusOf(answer, type))
    .header('content-type', `${type}; charset=utf-8`)
    .send(JSON.stringify(body))
}

/** /graphql over HTTP: POST, and GET for queries. */
export async function graphqlRoutes(
  app: FastifyInstance,
  options: SurfaceOptions,
  asKithError: (error: unknown) => KithError
): Promise<void> {
  const schema = graphqlSchema(options.operations)
  await app.register(mercurius, { schema, routes: false, jit: 1, graphiql: false, errorFormatter: asTheyAre })
  const documents = new Documents(schema)
  const execute = executor(app, schema, documents)
  refuseOtherMethods(app, '/graphql', ['GET', 'POST'])
  app.route({
    method: ['GET', 'POST'],
    url: '/graphql',
    config: { authenticated: true },
    handler: async (request, reply) => {
      const type = mediaType(request)
      if (type === undefined) throw new KithError('not_acceptable')
      const given = requestOf(request)
      refuseMutation(documents, request, given)
      const ctx = options.context(request)
      const context: GraphContext = { ctx, database: options.database, loaders: new Loaders(ctx) }
      const fallback = (error: unknown) => {
        const known = asKithError(error)
        if (known.status >= 500) request.log.error({ err: known.cause ?? error }, known.code)
        return known
      }
      return send(reply, await execute(given, context, fallback), type)
    }
  })
}
