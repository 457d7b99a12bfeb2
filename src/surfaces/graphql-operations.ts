import {
  GraphQLBoolean,
  GraphQLID,
  GraphQLInt,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLInputFieldConfigMap
} from 'graphql'
import { KithError } from '../kernel/errors.js'
import type { Operation, RecordAnswer } from '../kernel/operation.js'
import type { TObject } from '../kernel/schema.js'
import { operationCost } from './graphql-cost.js'
import type { Field, Fields, Input, RecordTypes } from './graphql-records.js'
import { runOperation, subscribe } from './graphql-resolvers.js'
import { describe, pascal } from './graphql-types.js'

// Names in a schema that a value has; GraphQL inputs have no prototype, JSON schemas do not mind.
function pick(schema: TObject | undefined, given: Input): Input {
  if (!schema) return {}
  return Object.fromEntries(
    Object.keys(schema.properties)
      .filter(name => given[name] !== undefined)
      .map(name => [name, given[name]])
  )
}

// An argument that is null counts as not given; in a body null clears a field.
const withoutNulls = (given: Input): Input =>
  Object.fromEntries(Object.entries(given).filter(([, v]) => v !== null))

function nullIfMissing(error: unknown): null {
  if (error instanceof KithError && error.code === 'not_found') return null
  throw error
}

/** Makes one field for each operation: of the query, the mutation or the subscription. */
export class OperationFields {
  constructor(private readonly records: RecordTypes) {}

  /** An operation that reads, as a field of the query. */
  query(operation: Operation): Field {
    const { result, params, query, body } = operation
    const isRecord = result.kind === 'record'
    const hint = pascal(operation.graphql!.replace(/\.(.)/g, (_, c: string) => c.toUpperCase()))
    const schemas = [params, isRecord ? undefined : query, body as TObject | undefined]
    const args = Object.assign(
      {},
      ...schemas.map(s => s && this.records.types.inputFields(s, hint))
    ) as GraphQLFieldConfigArgumentMap
    return {
      type: isRecord
        ? this.records.record(result.resource!)
        : new GraphQLNonNull(this.records.types.objectOutput(result.schema as TObject, hint)),
      description: operation.summary + '.',
      args,
      ...operationCost(operation.permission === 'metrics:read'),
      resolve: async (_root, given: Input, context, info) => {
        const request = {
          params: pick(params, given),
          query: isRecord ? {} : pick(query, withoutNulls(given)),
          ...(body && { body: pick(body as TObject, given) })
        }
        const found = runOperation(operation, request, context, info)
        return isRecord ? found.then(r => (r as RecordAnswer).record, nullIfMissing) : found
      }
    }
  }

  /** A stream, as a field of the subscription; its values come one by one. */
  subscription(operation: Operation): Field {
    const { query, result } = operation
    const hint = pascal(operation.graphql!)
    return {
      type: this.records.types.output(result.schema!, hint),
      description: operation.summary + '.',
      args: query ? this.records.types.inputFields(query, hint) : {},
      subscribe: (_root, given: Input, context) =>
        subscribe(operation, { query: pick(query, withoutNulls(given)) }, context),
      resolve: value => value
    }
  }

  /** An operation that writes, as a mutation with one input and a payload. */
  mutation(operation: Operation): Field {
    const name = pascal(operation.graphql!)
    const { params, query, body, result } = operation
    const fields = (): GraphQLInputFieldConfigMap => ({
      ...(params && this.records.types.inputFields(params, name)),
      ...(query && this.records.types.inputFields(query, name)),
      ...(operation.versioned && {
        expectedVersion: { type: GraphQLInt, description: 'Fails with version_mismatch at another version.' }
      }),
      ...(body && this.records.types.inputFields(body as TObject, name))
    })
    return {
      type: new GraphQLNonNull(this.payload(operation, name)),
      description: operation.summary + '.',
      args: {
        input: {
          type: new GraphQLNonNull(this.records.types.objectInput(`${name}Input`, fields)),
          description: 'What to write.'
        }
      },
      ...operationCost(operation.permission === 'metrics:read'),
      resolve: async (_root, { input }: Input, context, info) => {
        const given = input as Input
        const answer = await runOperation(
          operation,
          {
            params: pick(params, given),
            query: pick(query, withoutNulls(given)),
            ...(body && { body: pick(body as TObject, given) }),
            ...(given.expectedVersion != null && { expectedVersion: given.expectedVersion as number })
          },
          context,
          info
        )
        if (result.kind === 'nothing') return { id: (given.id as string).toLowerCase() }
        if (result.kind !== 'record') return answer
        const { record, created } = answer as RecordAnswer
        return { [result.resource!.name]: record, created: created ?? false }
      }
    }
  }

  private payload(operation: Operation, name: string): GraphQLObjectType {
    const { kind, resource, schema } = operation.result
    if (kind === 'value') return this.records.types.objectOutput(schema as TObject, `${name}Payload`)
    const fields: Fields =
      kind === 'record'
        ? {
            [resource!.name]: {
              type: new GraphQLNonNull(this.records.record(resource!)),
              description: `The ${resource!.name} as it is now.`
            },
            created: {
              type: new GraphQLNonNull(GraphQLBoolean),
              description: 'Whether it was made by this call.'
            }
          }
        : { id: { type: new GraphQLNonNull(GraphQLID), description: 'The id of the record.' } }
    return new GraphQLObjectType({ name: `${name}Payload`, description: describe(`${name}Payload`), fields })
  }
}
