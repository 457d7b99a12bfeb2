import {
  GraphQLBoolean,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
  type GraphQLFieldConfig,
  type GraphQLInterfaceType
} from 'graphql'
import { Closed, Enum, Integer, Type } from '../kernel/schema.js'
import { searchAll, searchableResources } from '../kernel/search-all.js'
import { SearchAllText } from '../kernel/search.js'
import { compile, refuse } from '../kernel/validate.js'
import { searchCost } from './graphql-cost.js'
import { Level } from './graphql-levels.js'
import type { GraphContext } from './graphql-requests.js'
import type { TypeFactory } from './graphql-types.js'

const q = SearchAllText()
const checkArguments = compile(Closed({ q, first: Type.Optional(Integer(1, 50)) }), 'body')

interface Arguments {
  q: string
  types?: string[] | null
  first?: number | null
}

/** `search(q:, types:, first:)`: records of all kinds at once, typed by `... on Contact` and the like. */
export function searchField(
  types: TypeFactory,
  node: GraphQLInterfaceType
): GraphQLFieldConfig<unknown, GraphContext> {
  const kinds = searchableResources()
  const kind = types.enumOf(
    Enum(
      'SearchType',
      kinds.map(r => r.eventName)
    )
  )
  const found = new GraphQLObjectType({
    name: 'SearchResult',
    description: 'A record that a search found.',
    fields: {
      type: { type: new GraphQLNonNull(kind), description: 'What kind of record it is.' },
      title: { type: new GraphQLNonNull(GraphQLString), description: 'What it is called.' },
      subtitle: { type: GraphQLString, description: 'What else it is known by, such as an e-mail.' },
      exact: {
        type: new GraphQLNonNull(GraphQLBoolean),
        description: 'Whether one of its texts is all that was searched for.'
      },
      record: { type: new GraphQLNonNull(node), description: 'The record.' }
    }
  })
  return {
    type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(found))),
    description:
      'Records of all kinds at once: exact matches (the whole name, e-mail, phone number or domain) first, then the newest.',
    args: {
      q: { type: new GraphQLNonNull(GraphQLString), description: q.description! },
      types: {
        type: new GraphQLList(new GraphQLNonNull(kind)),
        description: 'Only these; without them all that the credential may read.'
      },
      first: { type: GraphQLInt, description: 'How many of each type at most, 1 to 50; 10 unless said.' }
    },
    ...searchCost(kinds.length),
    resolve: async (_root, args, { ctx }) => {
      const { q: text, types: wanted, first } = args as Arguments
      refuse(checkArguments({ q: text, ...(first != null && { first }) }))
      const hits = await searchAll(ctx, {
        text,
        kinds: wanted?.map(name => kinds.find(r => r.eventName === name)!),
        size: first ?? 10,
        at: { in: 'body', pointer: '/q' }
      })
      for (const searched of kinds) new Level(hits.filter(h => h.resource === searched).map(h => h.record))
      return hits.map(({ resource, record, ...hit }) => ({
        type: resource.eventName,
        ...hit,
        record: { ...record, __typename: resource.typeName }
      }))
    }
  }
}
