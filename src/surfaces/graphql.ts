import {
  getNullableType,
  GraphQLID,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLSchema
} from 'graphql'
import type { Operation } from '../kernel/operation.js'
import { allResources } from '../kernel/resource.js'
import { idsCost } from './graphql-cost.js'
import { guardsInWords } from './graphql-guards.js'
import { OperationFields } from './graphql-operations.js'
import { node, RecordTypes, type Field, type Fields, type Input } from './graphql-records.js'
import { nodeById, nodesByIds } from './graphql-resolvers.js'
import { describe, pascal } from './graphql-types.js'

// `metrics.funnel` is the field funnel of the field metrics. It is null where it fails: an answer of several figures is not
// lost for one of them.
function inNamespaces(fields: [string, Field][]): Fields {
  const spaces = new Map<string, Fields>()
  const flat: Fields = {}
  for (const [path, field] of fields) {
    const [space, name] = path.split('.') as [string, string | undefined]
    if (name === undefined) flat[space] = field
    else spaces.set(space, { ...spaces.get(space), [name]: { ...field, type: getNullableType(field.type) } })
  }
  for (const [space, inner] of spaces) {
    const type = new GraphQLObjectType({
      name: pascal(space),
      description: `${describe(space)} A field that fails is null, with an error; the others are answered all the same.`,
      fields: inner
    })
    flat[space] = { type: new GraphQLNonNull(type), description: describe(space), resolve: () => ({}) }
  }
  return flat
}

const nodeFields: Fields = {
  node: {
    type: node,
    description: 'Any record by its id; null where there is none.',
    args: { id: { type: new GraphQLNonNull(GraphQLID), description: 'Its id.' } },
    resolve: (_root, { id }: Input, context) => nodeById(id as string, context)
  },
  nodes: {
    type: new GraphQLNonNull(new GraphQLList(node)),
    description:
      'Records by their ids, in that order; null where there is none, with an error where it is no id.',
    args: {
      ids: {
        type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(GraphQLID))),
        description: 'At most 200.'
      }
    },
    ...idsCost,
    resolve: (_root, { ids }: Input, context) => nodesByIds(ids as string[], context)
  }
}

/** The GraphQL schema over the operations: records and their relations, lists, and one field for each operation. */
export function graphqlSchema(operations: readonly Operation[]): GraphQLSchema {
  const records = new RecordTypes(operations)
  const fields = new OperationFields(records)
  const listed = allResources().filter(r => operations.some(o => o.name === `${r.plural}.list`))
  const named = (kind: Operation['kind']) => operations.filter(o => o.kind === kind && o.graphql !== null)
  const isStream = (o: Operation) => o.result.kind === 'stream'
  const streams = Object.fromEntries(
    named('read')
      .filter(isStream)
      .map(o => [o.graphql!, fields.subscription(o)])
  )
  const lone = named('read').filter(o => !isStream(o))
  const reads = inNamespaces(lone.map(o => [o.graphql!, fields.query(o)]))
  const writes = inNamespaces(named('write').map(o => [o.graphql!, fields.mutation(o)]))
  const lookups = Object.assign({}, ...listed.map(r => records.lookups(r))) as Fields
  return new GraphQLSchema({
    description: guardsInWords,
    query: new GraphQLObjectType({
      name: 'Query',
      description: 'What can be read.',
      fields: { ...nodeFields, search: records.search(), ...lookups, ...reads }
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
    types: allResources().map(r => records.record(r))
  })
}
