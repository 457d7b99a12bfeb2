import {
  GraphQLBoolean,
  GraphQLEnumType,
  GraphQLFloat,
  GraphQLID,
  GraphQLInputObjectType,
  GraphQLInt,
  GraphQLList,
  GraphQLNonNull,
  GraphQLObjectType,
  GraphQLString,
  type GraphQLFieldConfig,
  type GraphQLInputFieldConfigMap,
  type GraphQLInputType,
  type GraphQLNullableType,
  type GraphQLOutputType,
  type GraphQLScalarType
} from 'graphql'
import { isNullable, type TObject, type TSchema } from '../kernel/schema.js'
import type { GraphContext } from './graphql-requests.js'
import { DateTime, Day, Decimal, Json } from './graphql-scalars.js'

export const pascal = (name: string) => name[0]!.toUpperCase() + name.slice(1)

const screaming = (value: string) =>
  value
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('-', '_')
    .toUpperCase()

// A sort is `createdAt` or `-createdAt` in REST, CREATED_AT_ASC or CREATED_AT_DESC here.
function enumName(value: string, isOrder: boolean): string {
  if (!isOrder) return screaming(value)
  return value.startsWith('-') ? `${screaming(value.slice(1))}_DESC` : `${screaming(value)}_ASC`
}

const scalars: Record<string, GraphQLScalarType> = {
  id: GraphQLID,
  integer: GraphQLInt,
  number: GraphQLFloat,
  decimal: Decimal,
  boolean: GraphQLBoolean,
  instant: DateTime,
  day: Day,
  json: Json,
  customFields: Json
}

const byJsonType: Record<string, GraphQLScalarType> = {
  string: GraphQLString,
  integer: GraphQLInt,
  number: GraphQLFloat,
  boolean: GraphQLBoolean
}

const typeOf = (schema: TSchema) =>
  (Array.isArray(schema.type) ? (schema.type as string[]).find(t => t !== 'null') : schema.type) as
    string | undefined

type Referenced = GraphQLFieldConfig<Record<string, unknown>, GraphContext>

/** Makes GraphQL types out of schemas, each name once. */
export class TypeFactory {
  private readonly enums = new Map<string, GraphQLEnumType>()
  private readonly inputs = new Map<string, GraphQLInputObjectType>()
  private readonly outputs = new Map<string, GraphQLObjectType>()

  /**
   * `records` answers the type of a resource's record, for schemas that embed one; `referenced` the field with the
   * record that an id in a nested object points to.
   */
  constructor(
    private readonly records: (resource: string) => GraphQLObjectType,
    private readonly referenced: (resource: string, idField: string) => Referenced
  ) {}

  enumOf(schema: TSchema): GraphQLEnumType {
    const name = schema['x-enum'] as string
    const known = this.enums.get(name)
    if (known) return known
    const values = (schema.enum as (string | null)[]).filter(v => v !== null)
    const made = new GraphQLEnumType({
      name,
      description: `One of ${values.length} choices.`,
      values: Object.fromEntries(
        values.map(v => [
          enumName(v, name.endsWith('OrderBy')),
          { value: v, description: `\`${v}\` in REST.` }
        ])
      )
    })
    this.enums.set(name, made)
    return made
  }

  /** The type of a leaf: an enum or a scalar; undefined for objects and lists. */
  leaf(schema: TSchema): GraphQLEnumType | GraphQLScalarType | undefined {
    if (schema['x-enum'] !== undefined) return this.enumOf(schema)
    const scalar = scalars[schema['x-kind'] as string]
    return scalar ?? byJsonType[typeOf(schema) ?? '']
  }

  private named(schema: TSchema, hint: string): string {
    return (schema['x-type'] as string | undefined) ?? hint
  }

  output(schema: TSchema, hint: string): GraphQLOutputType {
    const bare = this.bareOutput(schema, hint)
    const anything = schema['x-kind'] === 'json' && schema.type === undefined
    return isNullable(schema) || anything ? bare : new GraphQLNonNull(bare)
  }

  private bareOutput(schema: TSchema, hint: string): GraphQLNullableType & GraphQLOutputType {
    if (schema['x-resource'] !== undefined) return this.records(schema['x-resource'] as string)
    const leaf = this.leaf(schema)
    if (leaf) return leaf
    if (typeOf(schema) === 'array') {
      return new GraphQLList(
        this.output(schema.items as TSchema, hint.replace(/ies$/, 'y').replace(/s$/, ''))
      )
    }
    return this.objectOutput(schema as TObject, this.named(schema, hint))
  }

  /** The object type of a schema; optional properties are nullable. */
  objectOutput(schema: TObject, name: string): GraphQLObjectType {
    const known = this.outputs.get(name)
    if (known) return known
    const optional = new Set(Object.keys(schema.properties).filter(k => !schema.required?.includes(k)))
    const made = new GraphQLObjectType({
      name,
      description: schema.description ?? describe(name),
      fields: () =>
        Object.fromEntries(
          Object.entries(schema.properties).flatMap(([key, property]) => {
            const type = this.output(property, name + pascal(key))
            const nullable = optional.has(key) && type instanceof GraphQLNonNull
            const own = {
              type: nullable ? (type.ofType as GraphQLOutputType) : type,
              description: description(key, property)
            }
            const target = property['x-reference'] as string | undefined
            const record =
              target === undefined ? [] : [[key.replace(/Id$/, ''), this.referenced(target, key)]]
            return [[key, own], ...record] as [string, Referenced][]
          })
        )
    })
    this.outputs.set(name, made)
    return made
  }

  input(schema: TSchema, hint: string): GraphQLInputType {
    const leaf = this.leaf(schema)
    if (leaf) return leaf
    if (typeOf(schema) === 'array') {
      const item = this.input(schema.items as TSchema, hint.replace(/ies$/, 'y').replace(/s$/, ''))
      return new GraphQLList(new GraphQLNonNull(item))
    }
    const oneOf = schema.minProperties === 1 && schema.maxProperties === 1
    return this.objectInput(
      this.named(schema, hint) + 'Input',
      () => this.inputFields(schema as TObject, hint),
      oneOf
    )
  }

  objectInput(
    name: string,
    fields: () => GraphQLInputFieldConfigMap,
    isOneOf = false
  ): GraphQLInputObjectType {
    const known = this.inputs.get(name)
    if (known) return known
    const made = new GraphQLInputObjectType({ name, description: describe(name), fields, isOneOf })
    this.inputs.set(name, made)
    return made
  }

  /** The properties of a schema as input fields; needed ones are non-null. */
  inputFields(schema: TObject, hint: string): GraphQLInputFieldConfigMap {
    const needed = new Set(schema.required ?? [])
    return Object.fromEntries(
      Object.entries(schema.properties).map(([key, property]) => {
        const type = this.input(property, hint + pascal(key))
        return [
          key,
          {
            type: needed.has(key) && !isNullable(property) ? new GraphQLNonNull(type) : type,
            description: description(key, property)
          }
        ]
      })
    )
  }
}

const words = (name: string) => name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()

/** A plain description of a type made of its name. */
export const describe = (name: string) => `${pascal(words(name))}.`

/** A field's own description, or its name in words. */
export const description = (name: string, schema: TSchema) => schema.description ?? describe(name)
