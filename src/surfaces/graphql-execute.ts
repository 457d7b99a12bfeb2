import type { FastifyInstance } from 'fastify'
import {
  execute as interpret,
  GraphQLError,
  OperationTypeNode,
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

export interface Answer {
  result: ExecutionResult
  /** The request could not be run at all. */
  refused: boolean
}

const unnamed = () =>
  new GraphQLError('Name the one operation of the document that is to run.', {
    extensions: { code: 'bad_request', status: 400 }
  })

const noSubscriptions = () =>
  new GraphQLError('There are no subscriptions here.', { extensions: { code: 'bad_request', status: 400 } })

const refusal = (...errors: GraphQLError[]): Answer => ({ result: { errors }, refused: true })

/** Checks, guards and runs one operation; errors of the program are told by `fallback`. */
export type Execute = (
  request: GraphRequest,
  context: GraphContext,
  fallback: (e: unknown) => KithError
) => Promise<Answer>

export function executor(app: FastifyInstance, schema: GraphQLSchema, documents: Documents): Execute {
  return async ({ query, operationName, variables }, context, fallback) => {
    const { document, errors, compilable, cost: costs } = documents.check(query)
    if (!document) return refusal(...errors!)
    const name = operationName ?? undefined
    const wrong = documents.checkVariables(document, name, variables ?? {})
    if (wrong.length > 0) return refusal(...wrong)
    const operation = operationOf(document, name)
    if (!operation) return refusal(unnamed())
    if (operation.operation === OperationTypeNode.SUBSCRIPTION) return refusal(noSubscriptions())
    const cost = costs!.of(name, variables ?? {})
    const expensive = guardCost(cost)
    if (expensive) return refusal(expensive)
    const contextValue = { ...context }
    const result: ExecutionResult = compilable
      ? await app.graphql<Record<string, unknown>, Record<string, unknown>>(query, contextValue)
      : await interpret({ schema, document, contextValue, variableValues: variables, operationName: name })
    const shown = result.errors?.map(e => toGraphQLError(e, fallback))
    const answer = { ...(shown && { errors: shown }), data: result.data, extensions: { cost } }
    return { result: answer, refused: result.data === undefined }
  }
}
