import type { FastifyInstance } from 'fastify'
import {
  execute as interpret,
  GraphQLError,
  OperationTypeNode,
  type DocumentNode,
  type ExecutionResult,
  type GraphQLSchema
} from 'graphql'
import type { KithError } from '../kernel/errors.js'
import { Closed, Nullable, Text, Type } from '../kernel/schema.js'
import { compile } from '../kernel/validate.js'
import { guardCost } from './graphql-cost.js'
import { toGraphQLError, type GraphContext } from './graphql-resolvers.js'
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

const noSubscriptions = () =>
  new GraphQLError('There are no subscriptions here.', { extensions: { code: 'bad_request', status: 400 } })

/** An operation that has passed all checks and guards. */
export interface Prepared {
  document: DocumentNode
  /** Runs it; errors of the program are told by `fallback`. */
  run(context: GraphContext, fallback: (e: unknown) => KithError): Promise<ExecutionResult>
}

/** Checks a request, or answers what is wrong with it. */
export type Prepare = (request: GraphRequest) => Prepared | GraphQLError[]

/** Makes the way that every operation takes, whatever protocol it came by. */
export function preparer(app: FastifyInstance, schema: GraphQLSchema, documents: Documents): Prepare {
  return ({ query, operationName, variables }) => {
    const { document, errors, compilable, cost: costs } = documents.check(query)
    if (!document) return errors!
    const name = operationName ?? undefined
    const wrong = documents.checkVariables(document, name, variables ?? {})
    if (wrong.length > 0) return wrong
    const operation = operationOf(document, name)
    if (!operation) return [unnamed()]
    if (operation.operation === OperationTypeNode.SUBSCRIPTION) return [noSubscriptions()]
    const cost = costs!.of(name, variables ?? {})
    const expensive = guardCost(cost)
    if (expensive) return [expensive]
    return {
      document,
      async run(context, fallback) {
        const contextValue = { ...context }
        const result: ExecutionResult = compilable
          ? await app.graphql<Record<string, unknown>, Record<string, unknown>>(query, contextValue)
          : await interpret({
              schema,
              document,
              contextValue,
              variableValues: variables,
              operationName: name
            })
        const shown = result.errors?.map(e => toGraphQLError(e, fallback))
        return { ...(shown && { errors: shown }), data: result.data, extensions: { cost } }
      }
    }
  }
}
