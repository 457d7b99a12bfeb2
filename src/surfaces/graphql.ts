import {
  GraphQLBoolean,
  GraphQLID,
  GraphQLInt,
  GraphQLInterfaceType,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLFieldConfigMap,
  type GraphQLInputFieldConfigMap
} from 'graphql'
import { KithError } from '../kernel/errors.js'
import type { Operation, RecordAnswer } from '../kernel/operation.js'
import { allResources, camel, resourceNamed, type Resource } from '../kernel/resource.js'
import type { TObject } from '../kernel/schema.js'
import type { RecordRow } from '../kernel/read.js'
import { EntryLists } from './graphql-entries.js'
import { connectionArguments, connectionType, Filters } from './graphql-connections.js'
import { guardsInWords } from './graphql-guards.js'
import { idsCost, listCost, nestedListCost, operationCost } from './graphql-cost.js'
import { nestedPageSize, rootPageSize, type ConnectionArgs, type GraphContext } from './graphql-requests.js'
import { nestedConnection, nestedRecord } from './graphql-relations.js'
import { nodesByIds, rootConnection, rootRecord, runOperation, subscribe } from './graphql-resolvers.js'
import { searchField } from './graphql-search.js'
import { description, describe, pascal, TypeFactory } from './graphql-types.js'

type Field = GraphQLFieldConfig<unknown, GraphContext>
type Fields = GraphQLFieldConfigMap<unknown, GraphContext>
type Input = Record<string, unknown>

const node = new GraphQLInterfaceType({
  name: 'Node',
  description: 'Any record, as Relay defines it.',
  fields: { id: { type: new GraphQLNonNull(GraphQLID), description: 'Its id, unique over all types.' } }
})

class Builder {
  private readonly records = new Map<string, GraphQLObjectType>()
  private readonly connections = new Map<string, GraphQLObjectType>()
  private readonly types = new TypeFactory(
    name => this.record(resourceNamed(name)),
    (target, field) => this.referenced(target, field)
  )
  private readonly filters = new Filters(this.types)
  private readonly lists: EntryLists

  constructor(operations: readonly Operation[]) {
    this.lists = new EntryLists(this.types, operations)
  }

  record(resource: Resource): GraphQLObjectType {
    const known = this.records.get(resource.name)
    if (known) return known
    const made = new GraphQLObjectType<RecordRow, GraphContext>({
      name: resource.typeName,
      description: resource.description,
      interfaces: [node],
      fields: () => ({
        ...this.ownFields(resource),
        ...this.relations(resource),
        ...this.lists.of(resource.name)
      })
    })
    this.records.set(resource.name, made)
    return made
  }

  private ownFields(resource: Resource): GraphQLFieldConfigMap<RecordRow, GraphContext> {
    return Object.fromEntries(
      [...resource.fields.values()].map(f => [
        f.name,
        {
          type: this.types.output(f.schema, resource.typeName + pascal(f.name)),
          description: description(f.name, f.schema)
        }
      ])
    )
  }

  private referenced(target: string, field: string): GraphQLFieldConfig<Input, GraphContext> {
    return {
      type: this.record(resourceNamed(target)),
      description: `The ${target} that ${field} names.`,
      resolve: (parent, _args, context, info) => nestedRecord({ target, field }, parent, context, info)
    }
  }

  private relations(resource: Resource): GraphQLFieldConfigMap<RecordRow, GraphContext> {
    return Object.fromEntries(
      Object.entries(resource.relations).map(([name, relation]) => {
        const target = resourceNamed(relation.target)
        if (relation.kind === 'one') return [name, this.referenced(relation.target, relation.field)]
        return [
          name,
          {
            type: new GraphQLNonNull(this.connection(target)),
            description: `The ${target.plural} of this ${resource.name}; the limit counts for each ${resource.name}.`,
            args: connectionArguments(target, this.types, this.filters),
            ...nestedListCost(nestedPageSize),
            resolve: (parent, args: ConnectionArgs, context, info) =>
              nestedConnection(relation, parent, args, context, info)
          }
        ]
      })
    ) as GraphQLFieldConfigMap<RecordRow, GraphContext>
  }

  private connection(resource: Resource): GraphQLObjectType {
    const known = this.connections.get(resource.name)
    if (known) return known
    const made = connectionType(resource, this.record(resource))
    this.connections.set(resource.name, made)
    return made
  }

  /** `contact(id:)` and `contacts(…)`. */
  lookups(resource: Resource): Fields {
    return {
      [resource.name]: {
        type: this.record(resource),
        description: `A ${resource.name} by its id; null where there is none.`,
        args: { id: { type: new GraphQLNonNull(GraphQLID), description: 'Its id.' } },
        resolve: (_root, { id }, context, info) => rootRecord(resource, id as string, context, info)
      },
      [camel(resource.plural)]: {
        type: new GraphQLNonNull(this.connection(resource)),
        description: `The ${resource.plural} of the workspace.`,
        args: connectionArguments(resource, this.types, this.filters),
        ...listCost(rootPageSize),
        resolve: (_root, args, context, info) =>
          rootConnection(resource, args as ConnectionArgs, context, info)
      }
    }
  }

  /** `search(…)` over all kinds. */
  search(): Field {
    return searchField(this.types, node)
  }

  /** An operation that reads, as a field of the query. */
  query(operation: Operation): Field {
    const { result, params, query, body } = operation
    const isRecord = result.kind === 'record'
    const hint = pascal(operation.graphql!.replace(/\.(.)/g, (_, c: string) => c.toUpperCase()))
    const schemas = [params, isRecord ? undefined : query, body as TObject | undefined]
    const args = Object.assign(
      {},
      ...schemas.map(s => s && this.types.inputFields(s, hint))
    ) as GraphQLFieldConfigArgumentMap
    return {
      type: isRecord
        ? this.record(result.resource!)
        : new GraphQLNonNull(this.types.objectOutput(result.schema as TObject, hint)),
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
      type: this.types.output(result.schema!, hint),
      description: operation.summary + '.',
      args: query ? this.types.inputFields(query, hint) : {},
      subscribe: (_root, given: Input, context) =>
        subscribe(operation, { query: pick(query, withoutNulls(given)) }, context),
      resolve: value => value
    }
  }

  /** An operation that writes, as a mutation with one input and a payload. */
  mutation(operation: Operation): Field {
    const name = pascal(operation.graphql!)
    const { params, query, body, result } = operation
    const versioned = params !== undefined
    const fields = (): GraphQLInputFieldConfigMap => ({
      ...(params && this.types.inputFields(params, name)),
      ...(query && this.types.inputFields(query, name)),
      ...(versioned && {
        expectedVersion: { type: GraphQLInt, description: 'Fails with version_mismatch at another version.' }
      }),
      ...(body && this.types.inputFields(body as TObject, name))
    })
    return {
      type: new GraphQLNonNull(this.payload(operation, name)),
      description: operation.summary + '.',
      args: {
        input: {
          type: new GraphQLNonNull(this.types.objectInput(`${name}Input`, fields)),
          description: 'What to write.'
        }
      },
      ...operationCost(false),
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
    if (kind === 'value') return this.types.objectOutput(schema as TObject, `${name}Payload`)
    const fields: Fields =
      kind === 'record'
        ? {
            [resource!.name]: {
              type: new GraphQLNonNull(this.record(resource!)),
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

// `metrics.funnel` is the field funnel of the field metrics.
function inNamespaces(fields: [string, Field][]): Fields {
  const spaces = new Map<string, Fields>()
  const flat: Fields = {}
  for (const [path, field] of fields) {
    const [space, name] = path.split('.') as [string, string | undefined]
    if (name === undefined) flat[space] = field
    else spaces.set(space, { ...spaces.get(space), [name]: field })
  }
  for (const [space, inner] of spaces) {
    const type = new GraphQLObjectType({ name: pascal(space), description: describe(space), fields: inner })
    flat[space] = { type: new GraphQLNonNull(type), description: describe(space), resolve: () => ({}) }
  }
  return flat
}

const nodeFields: Fields = {
  node: {
    type: node,
    description: 'Any record by its id; null where there is none.',
    args: { id: { type: new GraphQLNonNull(GraphQLID), description: 'Its id.' } },
    resolve: async (_root, { id }: Input, context) => (await nodesByIds([id as string], context, 'id'))[0]
  },
  nodes: {
    type: new GraphQLNonNull(new GraphQLList(node)),
    description: 'Records by their ids, in that order; null where there is none.',
    args: {
      ids: {
        type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(GraphQLID))),
        description: 'At most 200.'
      }
    },
    ...idsCost,
    resolve: (_root, { ids }: Input, context) => nodesByIds(ids as string[], context, 'ids')
  }
}

/** The GraphQL schema over the operations: records and their relations, lists, and one field for each operation. */
export function graphqlSchema(operations: readonly Operation[]): GraphQLSchema {
  const builder = new Builder(operations)
  const listed = allResources().filter(r => operations.some(o => o.name === `${r.plural}.list`))
  const named = (kind: Operation['kind']) => operations.filter(o => o.kind === kind && o.graphql !== null)
  const isStream = (o: Operation) => o.result.kind === 'stream'
  const streams = Object.fromEntries(
    named('read')
      .filter(isStream)
      .map(o => [o.graphql!, builder.subscription(o)])
  )
  const lone = named('read').filter(o => !isStream(o))
  const reads = inNamespaces(lone.map(o => [o.graphql!, builder.query(o)]))
  const writes = inNamespaces(named('write').map(o => [o.graphql!, builder.mutation(o)]))
  const lookups = Object.assign({}, ...listed.map(r => builder.lookups(r))) as Fields
  return new GraphQLSchema({
    description: guardsInWords,
    query: new GraphQLObjectType({
      name: 'Query',
      description: 'What can be read.',
      fields: { ...nodeFields, search: builder.search(), ...lookups, ...reads }
    }),
    mutation: new GraphQLObjectType({
      name: 'Mutation',
      description: 'What can be written.',
      fields: writes
    }),
    subscription: new GraphQLObjectType({
      name: 'Subscription',
      description: 'What can be followed, over WebSocket.',
      fields: streams
    }),
    types: allResources().map(r => builder.record(r))
  })
}
