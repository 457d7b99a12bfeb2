import {
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
  type GraphQLFieldConfig
} from 'graphql'
import type { Attached, Entry, EntryPage } from '../kernel/attached.js'
import type { Operation } from '../kernel/operation.js'
import type { RecordRow } from '../kernel/read.js'
import { pageInfo } from './graphql-connections.js'
import { nestedListCost } from './graphql-cost.js'
import { after as next, Level } from './graphql-levels.js'
import { pageSize, type GraphContext } from './graphql-requests.js'
import type { TypeFactory } from './graphql-types.js'

const standardSize = 10
const none: EntryPage = { rows: [], more: false }

interface Entries extends EntryPage {
  after: string | undefined
}

function entriesConnection(name: string, node: GraphQLObjectType): GraphQLObjectType {
  const edge = new GraphQLObjectType<Entry>({
    name: `${name}Edge`,
    description: 'An entry in a list.',
    fields: {
      cursor: { type: new GraphQLNonNull(GraphQLString), description: 'Its place in the list.' },
      node: { type: new GraphQLNonNull(node), description: 'The entry.', resolve: entry => entry }
    }
  })
  return new GraphQLObjectType<Entries>({
    name: `${name}Connection`,
    description: 'A page of entries.',
    fields: {
      edges: {
        type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(edge))),
        description: 'The entries with their cursors.',
        resolve: ({ rows }) => rows
      },
      nodes: {
        type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(node))),
        description: 'The entries.',
        resolve: ({ rows }) => rows
      },
      pageInfo: {
        type: new GraphQLNonNull(pageInfo),
        description: 'Where the page stands.',
        resolve: ({ rows, more, after }) => ({
          hasNextPage: more,
          hasPreviousPage: after !== undefined,
          startCursor: rows[0]?.cursor ?? null,
          endCursor: rows.at(-1)?.cursor ?? null
        })
      }
    }
  })
}

/** Makes the fields of attached lists; lists of the same entries share their types. */
export class EntryLists {
  private readonly connections = new Map<string, GraphQLObjectType>()

  constructor(
    private readonly types: TypeFactory,
    private readonly operations: readonly Operation[]
  ) {}

  private connection(attached: Attached): GraphQLObjectType {
    const name = attached.entry['x-type'] as string
    const known = this.connections.get(name)
    if (known) return known
    const made = entriesConnection(name, this.types.objectOutput(attached.entry, name))
    this.connections.set(name, made)
    return made
  }

  private field(attached: Attached): GraphQLFieldConfig<RecordRow, GraphContext> {
    const { summary, args } = attached
    return {
      type: new GraphQLNonNull(this.connection(attached)),
      description: `${summary}; the limit counts for each record.`,
      args: {
        first: { type: GraphQLInt, description: 'How many from the start, 1 to 200.' },
        after: { type: GraphQLString, description: 'Only what follows this cursor.' },
        ...this.types.inputFields(args, attached.field)
      },
      ...nestedListCost(standardSize),
      resolve(parent, given, { ctx }, { fieldNodes }): Entries | Promise<Entries> {
        const { first, after, ...input } = given as Record<string, unknown>
        const request = {
          size: first == null ? standardSize : pageSize('first', first as number),
          after: (after as string | null) ?? undefined,
          input
        }
        const level = Level.of(parent)
        const ids = level.rows.map(r => r.id as string)
        const pages = level.once(fieldNodes[0]!, () => attached.read(ctx, ids, request))
        return next(pages, byId => ({ ...(byId.get(parent.id) ?? none), after: request.after }))
      }
    }
  }

  /** The attached lists of a resource, by the names of their fields. */
  of(resource: string): Record<string, GraphQLFieldConfig<RecordRow, GraphContext>> {
    const lists = this.operations.flatMap(o => o.attached ?? [])
    const own = lists.filter(list => list.resource.name === resource)
    return Object.fromEntries(own.map(list => [list.field, this.field(list)]))
  }
}
