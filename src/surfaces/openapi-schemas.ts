import { resourceNamed, type Resource } from '../kernel/resource.js'
import { isNullable, type TSchema } from '../kernel/schema.js'
import { batchResult, changesResult } from '../kernel/standard-schemas.js'
import { filterSchema } from './openapi-filters.js'
import { fieldTexts } from './openapi-texts.js'

/** A node of the document. */
export type Json = Record<string, unknown>

/** Bodies know all their fields; answers may get new ones, so that their schemas are left open. */
export type Side = 'input' | 'answer'

const ownKeywords = new Set([
  'x-kind',
  'x-enum',
  'x-type',
  'x-resource',
  'x-resources',
  'x-filter',
  'x-reference',
  'x-link'
])
const publicFormats: Record<string, string> = { instant: 'date-time', day: 'date', 'http-url': 'uri' }
const wordedFormats: Record<string, string> = {
  'time-zone': 'An IANA time zone.',
  language: 'A BCP 47 language tag.',
  currency: 'An ISO 4217 code.',
  country: 'An ISO 3166-1 alpha-2 code.'
}

const sharedKinds: Record<string, { name: string; examples: unknown[] }> = {
  customFields: { name: 'CustomFields', examples: [{ tier: 'gold', employees_abroad: 12 }] },
  externalIds: { name: 'ExternalIds', examples: [[{ source: 'erp', id: '4711' }]] }
}

// Answers of the standard operations, the same for every resource.
const namedResults = new Map<unknown, string>([
  [batchResult, 'BatchResult'],
  [changesResult.schema, 'ChangeList']
])

export const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` })

const mapValues = (object: unknown, change: (value: TSchema) => unknown): Json =>
  Object.fromEntries(Object.entries(object as Record<string, TSchema>).map(([k, v]) => [k, change(v)]))

function formatOf(schema: TSchema): Json {
  const format = schema.format as string | undefined
  if (format === undefined) return {}
  const words = wordedFormats[format]
  return words === undefined ? { format: publicFormats[format] ?? format } : { description: words }
}

function withoutNull(schema: TSchema): TSchema {
  if (!isNullable(schema)) return schema
  // TypeBox takes `type` for one name.
  const types = (schema.type as unknown as string[]).filter(t => t !== 'null')
  return { ...schema, type: types.length === 1 ? types[0] : types }
}

const orNull = (schema: Json): Json => ({ anyOf: [schema, { type: 'null' }] })

/** The schemas of the document: what has a name stands here once and is referred to. */
export class Components {
  private readonly schemas = new Map<string, Json>()
  private readonly nameOfContent = new Map<string, string>()

  /** The schema behind a name; an unknown name is a fault of the program. */
  get(name: string): Json {
    const found = this.schemas.get(name)
    if (!found) throw new Error(`There is no schema ${name}`)
    return found
  }

  /** All named schemas, by name. */
  all(): Json {
    return Object.fromEntries([...this.schemas].sort(([a], [b]) => (a < b ? -1 : 1)))
  }

  /** Makes a named schema once; it may refer to itself. */
  add(name: string, make: () => Json): Json {
    if (!this.schemas.has(name)) {
      this.schemas.set(name, {})
      this.schemas.set(name, make())
    }
    return ref(name)
  }

  /** Gives a finished schema a name, unless the same schema has one already. */
  share(name: string, schema: Json): Json {
    const content = JSON.stringify(schema)
    const known = this.nameOfContent.get(content)
    if (known !== undefined) return ref(known)
    if (this.schemas.has(name)) throw new Error(`Two schemas are called ${name}`)
    this.schemas.set(name, schema)
    this.nameOfContent.set(content, name)
    return ref(name)
  }

  /** A schema of ours in the form of the document: without our keywords and formats, its named parts as references. */
  of(schema: TSchema, side: Side): Json {
    const reference = this.reference(schema, side)
    if (!reference) return this.plain(schema, side)
    const { description, default: fallback } = schema as { description?: string; default?: unknown }
    const same = this.get((reference.$ref as string).split('/').at(-1)!).description === description
    return {
      ...(isNullable(schema) ? orNull(reference) : reference),
      ...(description !== undefined && !same && { description }),
      ...(fallback !== undefined && { default: fallback })
    }
  }

  /** A body as a component of that name. */
  body(name: string, schema: TSchema): Json {
    const found = this.of(schema, 'input')
    return found.$ref === undefined ? this.share(name, found) : found
  }

  /** An answer as a component: its own name where it has one, else the given one. */
  result(name: string, schema: TSchema): Json {
    const found = this.of(schema, 'answer')
    return found.type === 'object' ? this.share(namedResults.get(schema) ?? name, found) : found
  }

  /** A record as it is answered. */
  model(resource: Resource): Json {
    return this.add(resource.typeName, () => {
      const { properties } = this.plain(resource.model, 'answer')
      const embedded = Object.entries(resource.relations).filter(([, r]) => r.kind === 'one')
      const relations = embedded.map(([name, { target }]) => [
        name,
        {
          ...orNull(this.model(resourceNamed(target))),
          description: `Only with \`include=${name}\`; null where there is none to be seen.`
        }
      ])
      return {
        type: 'object',
        description: `${resource.description} Every field is there, unless \`fields\` names only some.`,
        required: ['id', 'version'],
        properties: { ...(properties as Json), ...(Object.fromEntries(relations) as Json) }
      }
    })
  }

  /** A page of records. */
  page(resource: Resource): Json {
    const info = this.add('PageInfo', () => ({
      type: 'object',
      required: ['hasMore', 'nextCursor'],
      properties: {
        hasMore: { type: 'boolean', description: 'Whether there are records after these.' },
        nextCursor: { type: ['string', 'null'], description: 'What `after` takes for the next page.' },
        totalCount: {
          type: 'integer',
          minimum: 0,
          description: 'How many there are in all; only with `count`.'
        }
      }
    }))
    return this.add(`${resource.typeName}Page`, () => ({
      type: 'object',
      required: ['data', 'page'],
      properties: { data: { type: 'array', items: this.model(resource) }, page: info }
    }))
  }

  /** The filter of a resource, or of one of several. */
  private filter(names: readonly string[]): Json {
    const resources = names.map(resourceNamed)
    const filters = resources.map(r => filterSchema(this, r, true))
    if (filters.length === 1) return filters[0]!
    const name = `${resources.map(r => r.typeName).join('Or')}Filter`
    return this.add(name, () => ({ description: 'A filter of one of these.', anyOf: filters }))
  }

  private reference(schema: TSchema, side: Side): Json | undefined {
    if (schema['x-resource'] !== undefined) return this.model(resourceNamed(schema['x-resource'] as string))
    if (schema['x-resources'] !== undefined) {
      const models = (schema['x-resources'] as string[]).map(name => this.model(resourceNamed(name)))
      return this.add('AnyRecord', () => ({ description: 'A record of one of these types.', anyOf: models }))
    }
    if (schema['x-filter'] !== undefined) return this.filter([schema['x-filter'] as string | string[]].flat())
    if (schema['x-enum'] !== undefined) {
      const values = (schema.enum as unknown[]).filter(v => v !== null)
      return this.named(schema['x-enum'] as string, { type: 'string', enum: values })
    }
    const kind = sharedKinds[schema['x-kind'] as string]
    if (kind)
      return this.named(kind.name, { ...this.plain(withoutNull(schema), 'input'), examples: kind.examples })
    if (schema['x-type'] === undefined) return undefined
    const name = `${schema['x-type'] as string}${side === 'input' ? 'Input' : ''}`
    return this.named(name, this.plain(withoutNull(schema), side))
  }

  // What our declarations name keeps its name, so the same name must stand for the same schema.
  private named(name: string, schema: Json): Json {
    const known = this.schemas.get(name)
    if (known && JSON.stringify(known) !== JSON.stringify(schema))
      throw new Error(`Two schemas are called ${name}`)
    return this.add(name, () => schema)
  }

  private plain(schema: TSchema, side: Side): Json {
    const inner = (s: TSchema) => this.of(s, side)
    const converted = Object.entries(schema).flatMap(([key, value]): [string, unknown][] => {
      if (ownKeywords.has(key) || value === undefined) return []
      switch (key) {
        case 'properties':
          return [[key, this.properties(value as Record<string, TSchema>, side)]]
        case 'patternProperties':
          return [[key, mapValues(value, inner)]]
        case 'items':
        case 'not':
          return [[key, inner(value as TSchema)]]
        case 'anyOf':
        case 'oneOf':
        case 'allOf':
          return [[key, (value as TSchema[]).map(inner)]]
        case 'additionalProperties':
          if (value === false && side === 'answer') return []
          return [[key, typeof value === 'boolean' ? value : inner(value as TSchema)]]
        case 'format':
          return Object.entries(formatOf(schema))
        default:
          return [[key, value]]
      }
    })
    const plain = Object.fromEntries(converted)
    const known = plain.properties === undefined ? undefined : this.nameOfContent.get(JSON.stringify(plain))
    return known === undefined ? plain : ref(known)
  }

  private properties(properties: Record<string, TSchema>, side: Side): Json {
    return Object.fromEntries(
      Object.entries(properties).map(([name, schema]) => {
        const found = this.of(schema, side)
        const description = found.description ?? fieldTexts[name]
        return [name, { ...found, ...(description !== undefined && { description }) }]
      })
    )
  }
}
