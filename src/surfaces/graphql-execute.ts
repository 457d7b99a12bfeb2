import type { FastifyInstance } from 'fastify'
import {
  execute as interpret,
  GraphQLError,
  OperationTypeNode,
  subscribe,
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema
} from 'graphql'
import type { Context } from '../kernel/context.js'
import type { KithError } from '../kernel/errors.js'
import { Closed, Nullable, Text, Type } from '../kernel/schema.js'
import { compile } from '../kernel/validate.js'
import { guardCost } from './graphql-cost.js'
import type { GraphContext } from './graphql-requests.js'
import { toGraphQLError } from './graphql-resolvers.js'
import { operationOf, type Documents } from './graphql-validation.js'

/** One operation, as a client asks for it by whatever protocol. */
export interface GraphRequest {
  query: string
  operationName?: string | null
  variables?: Record<string, unknown> | null
  extensions?: Record<string, unknown> | null
}

const free = () => Type.Optional(Type.Unsafe<unknown>({ type: ['object', 'null'] }))

/** What is wrong with the form of a request. */
export const checkRequest = compile(
  Closed({
    query: Text(100_000),
    operationName: Type.Optional(Nullable(Text(1000))),
    variables: free(),
    extensions: free()
  }),
  'body'
)

const unnamed = () =>
  new GraphQLError('Name the one operation of the document that is to run.', {
    extensions: { code: 'bad_request', status: 400 }
  })

/** An operation that has passed all checks and guards. */
export interface Prepared {
  document: DocumentNode
  /** The results of a subscription come one by one. */
  kind: OperationTypeNode
  /** Writes the whole answer as JSON, several times as fast as to run it; nothing where it has to be run. */
  write(ctx: Context): Promise<string | undefined>
  /** Runs it; errors of the program are told by `fallback`. */
  run(context: Asked, fallback: Fallback): Promise<ExecutionResult | AsyncGenerator<ExecutionResult>>
}

type Asked = Omit<GraphContext, 'ahead'>
type Fallback = (e: unknown) => KithError

type Shown = (result: ExecutionResult) => ExecutionResult

function streamed(results: ExecutionResult | AsyncGenerator<ExecutionResult>, shown: Shown) {
  if (!(Symbol.asyncIterator in results)) return shown(results)
  return (async function* () {
    for await (const result of results) yield shown(result)
  })()
}

/** Checks a request, or answers what is wrong with it. */
export type Prepare = (request: GraphRequest) => Prepared | GraphQLError[]

/** Makes the way that every operation takes, whatever protocol it came by. */
export function preparer(app: FastifyInstance, schema: GraphQLSchema, documents: Documents): Prepare {
  return ({ query, operationName, variables }) => {
    const checked = documents.check(query)
    if ('errors' in checked) return checked.errors
    const { document, compilable, conditional, plan } = checked
    const name = operationName ?? undefined
    const wrong = documents.checkVariables(document, name, variables ?? {})
    if (wrong.length > 0) return wrong
    const operation = operationOf(document, name)
    if (!operation) return [unnamed()]
    const cost = checked.cost.of(name, variables ?? {})
    const expensive = guardCost(cost)
    if (expensive) return [expensive]
    const kind = operation.operation
    return {
      document,
      kind,
      async write(ctx) {
        const data = await plan()?.(ctx, variables ?? {})
        return data && `{"data":${data},"extensions":{"cost":${cost}}}`
      },
      async run(context, fallback) {
        const contextValue: GraphContext = { ...context, ahead: !conditional }
        const shown = (result: ExecutionResult): ExecutionResult => {
          const told = result.errors?.map(e => toGraphQLError(e, fallback))
          return { ...(told && { errors: told }), data: result.data, extensions: { cost } }
        }
        const args = { schema, document, contextValue, variableValues: variables, operationName: name }
        if (kind === OperationTypeNode.SUBSCRIPTION) return streamed(await subscribe(args), shown)
        const result: ExecutionResult = compilable
          ? await app.graphql<Record<string, unknown>, Record<string, unknown>>(
              query,
              { ...contextValue },
              variables ?? {}
            )
          : await interpret(args)
        return shown(result)
      }
    }
  }
}
