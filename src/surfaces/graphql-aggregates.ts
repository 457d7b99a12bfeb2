import {
  GraphQLList,
  GraphQLNonNull,
  GraphQLString,
  type GraphQLEnumType,
  type GraphQLInputFieldConfigMap,
  type GraphQLInputObjectType
} from 'graphql'
import { groupableFields, measurableFields, pathRelations, type Use } from '../kernel/aggregate-fields.js'
import {
  aggregateCommon,
  aggregateResult,
  aggregateTexts,
  groupSchema,
  measureSchema
} from '../kernel/aggregate-schemas.js'
import { fieldError } from '../kernel/errors.js'
import { TimePart } from '../kernel/filter-parts.js'
import type { Operation } from '../kernel/operation.js'
import { resourceNamed, type Resource } from '../kernel/resource.js'
import { Closed, Enum, type TSchema } from '../kernel/schema.js'
import type { Filters } from './graphql-connections.js'
import { operationCost } from './graphql-cost.js'
import type { Field, Input } from './graphql-records.js'
import { runOperation } from './graphql-resolvers.js'
import { pascal, type TypeFactory } from './graphql-types.js'

const listOf = (type: GraphQLInputObjectType) => new GraphQLList(new GraphQLNonNull(type))

/** Makes the fields of aggregates: the operation of REST, with its paths and filters in GraphQL's own names. */
export class Aggregates {
  constructor(
    private readonly types: TypeFactory,
    private readonly filters: Filters
  ) {}

  private fieldEnum(resource: Resource, use: Use): GraphQLEnumType {
    const names = use === 'group' ? groupableFields(resource) : measurableFields(resource)
    return this.types.enumOf(Enum(`${resource.typeName}${pascal(use)}Field`, names))
  }

  // One of the record's fields, or a relation with one of the fields there.
  private path(resource: Resource, use: Use, isHop: boolean): GraphQLInputFieldConfigMap {
    const field = this.fieldEnum(resource, use)
    const relations = isHop ? [] : pathRelations(resource)
    return {
      field: {
        type: isHop ? new GraphQLNonNull(field) : field,
        description: isHop ? 'Which field.' : 'A field of the record itself.'
      },
      key: { type: GraphQLString, description: 'Which of the custom fields.' },
      ...(Object.fromEntries(
        relations.map(([name, { target }]) => [
          name,
          {
            type: this.pathInput(resourceNamed(target), use),
            description: `In place of \`field\`: a field of its ${name}.`
          }
        ])
      ) as GraphQLInputFieldConfigMap)
    }
  }

  private pathInput(resource: Resource, use: Use): GraphQLInputObjectType {
    const name = `${resource.typeName}${pascal(use)}PathInput`
    return this.types.objectInput(name, () => this.path(resource, use, true))
  }

  private groupInput(resource: Resource): GraphQLInputObjectType {
    return this.types.objectInput(`${resource.typeName}GroupInput`, () => ({
      ...this.path(resource, 'group', false),
      ...this.types.inputFields(groupSchema, '')
    }))
  }

  private measureInput(resource: Resource): GraphQLInputObjectType {
    const since = this.types.objectInput(`${resource.typeName}SinceInput`, () =>
      this.path(resource, 'measure', false)
    )
    return this.types.objectInput(`${resource.typeName}MeasureInput`, () => ({
      ...this.path(resource, 'measure', false),
      since: { type: since, description: aggregateTexts.since },
      ...this.types.inputFields(measureSchema, '')
    }))
  }

  private named(schema: TSchema, value: unknown): unknown {
    if (schema['x-enum'] === undefined) return value
    if (Array.isArray(value)) return value.map(v => this.named(schema, v))
    const choices = this.types.enumOf(schema).getValues()
    return choices.find(c => c.value === value)?.name ?? value
  }

  /** A filter as GraphQL writes it, so that it can be given to a list. */
  private filter(resource: Resource, filter: Input): Input {
    const inner = (value: unknown, of = resource) => this.filter(of, value as Input)
    const entries = Object.entries(filter).map(([key, value]) => {
      if (key === 'and' || key === 'or') return [key, (value as unknown[]).map(v => inner(v))]
      if (key === 'not') return [key, inner(value)]
      const relation = resource.relations[key]
      if (relation) return [key, inner(value, resourceNamed(relation.target))]
      const { kind, schema } = resource.fields.get(key)!
      if (kind === 'customFields') return [key, value]
      const leaf = schema.items ?? schema
      const tests = Object.entries(value as Input).map(([op, v]) => [
        op,
        op === 'part'
          ? { ...(v as Input), of: this.named(TimePart.properties.of, (v as Input).of) }
          : this.named(leaf, v)
      ])
      return [key, Object.fromEntries(tests) as Input]
    })
    return Object.fromEntries(entries) as Input
  }

  /** `dealsAggregate(…)`. */
  field(resource: Resource, operation: Operation): Field {
    return {
      type: new GraphQLNonNull(this.types.objectOutput(aggregateResult, 'Aggregate')),
      description: `${operation.summary}: in buckets, each with the filter that lists exactly its records.`,
      args: {
        filter: { type: this.filters.of(resource), description: 'Which records.' },
        groupBy: { type: listOf(this.groupInput(resource)), description: aggregateTexts.groupBy },
        measures: { type: listOf(this.measureInput(resource)), description: aggregateTexts.measures },
        ...this.types.inputFields(Closed(aggregateCommon(resource)), '')
      },
      ...operationCost(true),
      resolve: async (_root, args: Input, context, info) => {
        const { groupBy, measures, ...given } = withoutNulls(args)
        const body = {
          ...given,
          ...(groupBy !== undefined && {
            groupBy: (groupBy as Input[]).map((g, i) => withPath(resource, g, `/groupBy/${i}`))
          }),
          ...(measures !== undefined && {
            measures: (measures as Input[]).map((m, i) => withPath(resource, m, `/measures/${i}`))
          })
        }
        const answer = (await runOperation(operation, { body }, context, info)) as {
          data: { filter: Input }[]
        }
        const data = answer.data.map(b => ({ ...b, filter: this.filter(resource, b.filter) }))
        return { ...answer, data }
      }
    }
  }
}

const withoutNulls = (given: Input): Input =>
  Object.fromEntries(Object.entries(given).filter(([, v]) => v !== null))

const fieldText = ({ field, key }: Input): string => [field, ...(key == null ? [] : [key])].join('.')

// The path as REST writes it.
function pathText(resource: Resource, given: Input, pointer: string): string {
  const relations = pathRelations(resource)
    .map(([name]) => name)
    .filter(name => given[name] != null)
  const ways = relations.length + (given.field == null ? 0 : 1)
  if (ways !== 1) {
    const message = 'Name one field, of the record itself or of one that it is related to.'
    throw fieldError('invalid_input', pointer, message, 'one_of')
  }
  const [relation] = relations
  return relation === undefined ? fieldText(given) : `${relation}.${fieldText(given[relation] as Input)}`
}

function withPath(resource: Resource, given: Input, pointer: string): Input {
  const { grain, name, op, p, since } = given
  return withoutUndefined({
    field: pathText(resource, given, pointer),
    grain,
    name,
    op,
    p,
    since: since == null ? undefined : pathText(resource, since as Input, `${pointer}/since`)
  })
}

const withoutUndefined = (given: Input): Input =>
  Object.fromEntries(Object.entries(given).filter(([, v]) => v !== undefined))
