import {
  GraphQLID,
  GraphQLInterfaceType,
  GraphQLNonNull,
  GraphQLObjectType,
  type GraphQLFieldConfig,
  type GraphQLFieldConfigMap
} from 'graphql'
import type { Operation } from '../kernel/operation.js'
import { camel, resourceNamed, type Resource } from '../kernel/resource.js'
import type { RecordRow } from '../kernel/read.js'
import { Aggregates } from './graphql-aggregates.js'
import { EntryLists } from './graphql-entries.js'
import { connectionArguments, connectionType, Filters } from './graphql-connections.js'
import { linksCost, listCost, nestedListCost } from './graphql-cost.js'
import { Level } from './graphql-levels.js'
import { nestedPageSize, rootPageSize, type ConnectionArgs, type GraphContext } from './graphql-requests.js'
import { nestedConnection, nestedRecord } from './graphql-relations.js'
import { rootConnection, rootRecord } from './graphql-resolvers.js'
import { searchField } from './graphql-search.js'
import { description, pascal, TypeFactory } from './graphql-types.js'

export type Field = GraphQLFieldConfig<unknown, GraphContext>
export type Fields = GraphQLFieldConfigMap<unknown, GraphContext>
export type Input = Record<string, unknown>

/** Any record, as Relay defines it. */
export const node = new GraphQLInterfaceType({
  name: 'Node',
  description: 'Any record, as Relay defines it.',
  fields: { id: { type: new GraphQLNonNull(GraphQLID), description: 'Its id, unique over all types.' } }
})

/** Makes the types of records with their relations, and the fields that look them up. */
export class RecordTypes {
  private readonly records = new Map<string, GraphQLObjectType>()
  private readonly connections = new Map<string, GraphQLObjectType>()
  readonly types = new TypeFactory(
    name => this.record(resourceNamed(name)),
    (target, field) => this.referenced(target, field)
  )
  private readonly filters = new Filters(this.types)
  private readonly lists: EntryLists
  private readonly aggregates = new Aggregates(this.types, this.filters)

  constructor(private readonly operations: readonly Operation[]) {
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
          description: description(f.name, f.schema),
          ...(f.kind === 'links' && {
            ...linksCost(f.schema.maxItems as number),
            resolve: (parent: RecordRow) => Level.of(parent).objects(f.name).get(parent.id)
          })
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

  /** `contact(id:)`, `contacts(…)` and `contactsAggregate(…)`. */
  lookups(resource: Resource): Fields {
    const aggregate = this.operations.find(o => o.name === `${resource.plural}.aggregate`)!
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
      },
      [`${camel(resource.plural)}Aggregate`]: this.aggregates.field(resource, aggregate)
    }
  }

  /** `search(…)` over all kinds. */
  search(): Field {
    return searchField(this.types, node)
  }
}
