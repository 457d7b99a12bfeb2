import {
  GraphQLBoolean,
  GraphQLID,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
  type GraphQLFieldConfigArgumentMap,
  type GraphQLInputFieldConfigMap,
  type GraphQLInputType
} from 'graphql'
import { resourceNamed, type FieldInfo, type Resource } from '../kernel/resource.js'
import { hasParts, TimePart } from '../kernel/filter-parts.js'
import { operatorsOf } from '../kernel/filter-values.js'
import { listQuery, searchParameter } from '../kernel/standard-schemas.js'
import type { RecordRow } from '../kernel/read.js'
import type { Connection } from './graphql-requests.js'
import { Json } from './graphql-scalars.js'
import { describe, type TypeFactory } from './graphql-types.js'

/** Relay's type of where a page stands. */
export const pageInfo = new GraphQLObjectType({
  name: 'PageInfo',
  description: 'Where a page stands in its list, as Relay defines it.',
  fields: {
    hasNextPage: { type: new GraphQLNonNull(GraphQLBoolean), description: 'Whether rows follow.' },
    hasPreviousPage: { type: new GraphQLNonNull(GraphQLBoolean), description: 'Whether rows come before.' },
    startCursor: { type: GraphQLString, description: 'The cursor of the first row.' },
    endCursor: { type: GraphQLString, description: 'The cursor of the last row.' }
  }
})

/** Where a page stands. */
export function resolvePageInfo({ page, connection: { request } }: Pick<Connection, 'page' | 'connection'>) {
  const [first, last] = [page.rows[0], page.rows.at(-1)]
  return {
    hasNextPage: request.backward ? request.before !== undefined : page.more,
    hasPreviousPage: request.backward ? page.more : request.after !== undefined,
    startCursor: first ? page.cursor(first) : null,
    endCursor: last ? page.cursor(last) : null
  }
}

/** The connection type over a record type. */
export function connectionType(resource: Resource, node: GraphQLObjectType): GraphQLObjectType {
  const name = resource.typeName
  const records = new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(node)))
  const edge = new GraphQLObjectType({
    name: `${name}Edge`,
    description: `A ${resource.name} in a list.`,
    fields: {
      cursor: { type: new GraphQLNonNull(GraphQLString), description: 'Its place in the list.' },
      node: { type: new GraphQLNonNull(node), description: 'The record.' }
    }
  })
  return new GraphQLObjectType<Connection>({
    name: `${name}Connection`,
    description: `A page of ${resource.plural}.`,
    fields: {
      edges: {
        type: new GraphQLNonNull(new GraphQLList(new GraphQLNonNull(edge))),
        description: 'The records with their cursors.',
        resolve: ({ page }) => page.rows.map(row => ({ cursor: page.cursor(row), node: row }))
      },
      nodes: { type: records, description: 'The records.', resolve: ({ page }): RecordRow[] => page.rows },
      pageInfo: {
        type: new GraphQLNonNull(pageInfo),
        description: 'Where the page stands.',
        resolve: resolvePageInfo
      },
      totalCount: {
        type: new GraphQLNonNull(GraphQLInt),
        description: 'How many there are in all; counted only when asked for.',
        resolve: connection => connection.count()
      }
    }
  })
}

/** The filter types: one for each kind of value, one for each resource. */
export class Filters {
  private readonly operators = new Map<string, GraphQLInputObjectType>()
  private readonly whole = new Map<string, GraphQLInputObjectType>()

  constructor(private readonly types: TypeFactory) {}

  private leafOf(field: FieldInfo): GraphQLInputType {
    if (field.kind === 'links') return GraphQLID
    const element = field.kind === 'list' ? (field.schema.items as FieldInfo['schema']) : field.schema
    return this.types.leaf(element)!
  }

  private ofField(field: FieldInfo): GraphQLInputType {
    if (field.kind === 'customFields') return Json
    const leaf = this.leafOf(field)
    const base = String(leaf)
      .replace(/^ID$/, 'Id')
      .replace(/^Boolean$/, 'Bool')
    const isList = field.kind === 'list' || field.kind === 'links'
    const name = `${base}${isList ? 'List' : ''}Filter`
    const known = this.operators.get(name)
    if (known) return known
    const fields: GraphQLInputFieldConfigMap = {}
    for (const op of operatorsOf[field.kind]) {
      const many = op === 'in' || op === 'notIn'
      const type = op === 'isNull' ? GraphQLBoolean : op === 'startsWith' ? GraphQLString : leaf
      fields[op] = {
        type: many ? new GraphQLList(new GraphQLNonNull(leaf)) : type,
        description: operatorWords[op]
      }
    }
    if (hasParts(field)) {
      const type = this.types.input(TimePart, 'TimePart')
      fields.part = { type, description: 'Has this hour, day of the week or month.' }
    }
    const made = new GraphQLInputObjectType({
      name,
      description: `Conditions on a value of ${base}.`,
      fields
    })
    this.operators.set(name, made)
    return made
  }

  /** The filter of a resource, with its relations one hop away unless it is itself that hop. */
  of(resource: Resource, hop = false): GraphQLInputObjectType {
    const name = `${resource.typeName}${hop ? 'Relation' : ''}Filter`
    const known = this.whole.get(name)
    if (known) return known
    const made: GraphQLInputObjectType = new GraphQLInputObjectType({
      name,
      description: `Which ${resource.plural}: all conditions hold.`,
      fields: () => this.fields(resource, hop, made)
    })
    this.whole.set(name, made)
    return made
  }

  private fields(resource: Resource, hop: boolean, self: GraphQLInputObjectType): GraphQLInputFieldConfigMap {
    const all = new GraphQLList(new GraphQLNonNull(self))
    const own = [...resource.filters, 'customFields'].map(name => [
      name,
      { type: this.ofField(resource.fields.get(name)!), description: describe(name) }
    ])
    const related = hop
      ? []
      : Object.entries(resource.relations).map(([name, r]) => [
          name,
          {
            type: this.of(resourceNamed(r.target), true),
            description:
              r.kind === 'one' ? `The ${name} is like this.` : `At least one of ${name} is like this.`
          }
        ])
    return {
      and: { type: all, description: 'All of these hold.' },
      or: { type: all, description: 'One of these holds.' },
      not: { type: self, description: 'This does not hold.' },
      ...(Object.fromEntries([...own, ...related]) as GraphQLInputFieldConfigMap)
    }
  }
}

const operatorWords: Record<string, string> = {
  eq: 'Is equal.',
  ne: 'Is not equal, or is null.',
  in: 'Is one of these.',
  notIn: 'Is none of these, or is null.',
  gt: 'Is greater.',
  gte: 'Is greater or equal.',
  lt: 'Is less.',
  lte: 'Is less or equal.',
  contains: 'Has this in it.',
  startsWith: 'Begins with this.',
  isNull: 'Is null (true) or is not (false).'
}

/** The arguments that every list takes, nested or not. */
export function connectionArguments(
  resource: Resource,
  types: TypeFactory,
  filters: Filters
): GraphQLFieldConfigArgumentMap {
  const order = listQuery(resource).properties.sort!
  const { search } = searchParameter(resource)
  return {
    first: { type: GraphQLInt, description: 'How many from the start, 1 to 200.' },
    after: { type: GraphQLString, description: 'Only what follows this cursor.' },
    last: { type: GraphQLInt, description: 'How many from the end, 1 to 200.' },
    before: { type: GraphQLString, description: 'Only what comes before this cursor.' },
    filter: { type: filters.of(resource), description: 'Which records.' },
    orderBy: { type: types.enumOf(order), description: 'In which order; newest first unless said.' },
    ...(search && { search: { type: GraphQLString, description: search.description! } })
  }
}
