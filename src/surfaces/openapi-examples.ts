import { createHash } from 'node:crypto'
import type { Components, Json, Side } from './openapi-schemas.js'

// What a reader expects behind a name; used where the schema allows it.
const byName: Record<string, unknown> = {
  firstName: 'Amina',
  lastName: 'Rahman',
  name: 'Example',
  active: true,
  workspace: 'demo',
  workspaceName: 'demo',
  externalSubject: 'idp|4711',
  jobTitle: 'Head of purchasing',
  industry: 'Textiles',
  employeeCount: 120,
  foundedYear: 1998,
  line1: '12 Lake Road',
  line2: 'Third floor',
  district: 'Gulshan',
  city: 'Dhaka',
  region: 'Dhaka Division',
  postalCode: '1212',
  sourceChannel: 'webinar',
  source: 'erp',
  externalId: '4711',
  scopes: 'contacts:read',
  tags: 'vip',
  interests: 'Linen',
  password: 'correct horse battery',
  currentPassword: 'quite another secret',
  hint: 'kith_0198',
  key: 'kith_019b4c1a-3c00-7d11-9a64-0242ac120002_n7Qm',
  accessToken: 'eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl',
  expiresIn: 3600,
  graceSeconds: 3600,
  limit: 50,
  index: 0,
  version: 3,
  type: 'deal.stage_changed',
  resource: 'deal',
  requestId: '019b4c1a-3c00-7c4e-8f10-0242ac120002',
  data: { version: 3, stageId: '019b4c1a-3c00-7a10-8b20-0242ac120002' },
  previous: { version: 2, stageId: '019b4c1a-3c00-7a10-8b20-0242ac120001' },
  changedFields: 'stageId',
  field: 'lastName',
  from: 'Rahmann',
  to: 'Rahman',
  error: null,
  nextCursor: null,
  after: null,
  idempotencyKey: null,
  deletedAt: null,
  expiresAt: null,
  revokedAt: null,
  previousExpiresAt: null,
  closedAt: null,
  lostReason: null
}

// Given in the place of other fields, not beside them.
const alternatives = new Set(['history', 'lifecycleHistory'])

const typesOf = (schema: Json): string[] => [schema.type ?? []].flat() as string[]

const isType = (value: unknown, type: string): boolean => {
  switch (type) {
    case 'integer':
      return Number.isInteger(value)
    case 'object':
      return typeof value === 'object'
    default:
      return typeof value === type
  }
}

function fits(schema: Json, value: unknown): boolean {
  const types = [schema, ...((schema.anyOf ?? []) as Json[])].flatMap(typesOf)
  if (value === null) return types.includes('null')
  const isOpen = ['format', 'properties', 'enum', 'anyOf'].every(keyword => schema[keyword] === undefined)
  if (value === undefined || !isOpen) return false
  if (types.length > 0 && !types.some(type => isType(value, type))) return false
  const { minimum = -Infinity, maximum = Infinity, minLength = 0, maxLength = Infinity, pattern } = schema
  if (typeof value === 'number') return value >= Number(minimum) && value <= Number(maximum)
  if (typeof value !== 'string') return true
  const long = value.length >= Number(minLength) && value.length <= Number(maxLength)
  return long && (pattern === undefined || new RegExp(pattern as string).test(value))
}

const inWords = (name: string) => {
  const words = name.replace(/([a-z0-9])([A-Z])/g, '$1 $2').toLowerCase()
  return words[0]!.toUpperCase() + words.slice(1)
}

// The same for a name every time, and different ids for different names.
const uuidOf = (name: string) =>
  `019b4c1a-3c00-7a10-8b20-${createHash('sha1').update(name).digest('hex').slice(0, 12)}`

const byFormat: Record<string, (name: string) => string> = {
  uuid: uuidOf,
  email: () => 'amina.rahman@example.com',
  'date-time': () => '2026-01-31T09:30:00.000Z',
  date: () => '2026-01-31',
  uri: () => 'https://example.com'
}

function textOf(schema: Json, name: string): string {
  const made = byFormat[schema.format as string]?.(name)
  if (made !== undefined) return made
  const text = inWords(name).slice(0, Number(schema.maxLength ?? 100))
  return text.padEnd(Number(schema.minLength ?? 0), '.')
}

function numberOf(schema: Json): number {
  const { minimum, maximum } = schema as { minimum?: number; maximum?: number }
  if (typesOf(schema).includes('integer')) return Math.min(Math.max(minimum ?? 1, 1), maximum ?? Infinity)
  const least = minimum ?? Math.min(0, maximum ?? 0)
  return (least + (maximum ?? least + 1)) / 2
}

/** Makes examples out of the document's schemas; the same one for the same schema every time. */
export class Examples {
  constructor(
    private readonly components: Components,
    private readonly side: Side
  ) {}

  /** A value that is valid against the schema; `name` is that of the field it stands in. */
  of(schema: Json, name = ''): unknown {
    if (schema.$ref !== undefined) return this.of(this.resolve(schema), name)
    const expected = byName[name]
    if (fits(schema, expected)) return expected
    if (schema.examples !== undefined) return (schema.examples as unknown[])[0]
    if (schema.const !== undefined) return schema.const
    if (schema.enum !== undefined) return (schema.enum as unknown[])[0]
    if (schema.anyOf !== undefined) return this.of((schema.anyOf as Json[])[0]!, name)
    switch (typesOf(schema).find(t => t !== 'null')) {
      case 'object':
        return this.object(schema)
      case 'array':
        return [this.of(schema.items as Json, name)]
      case 'integer':
      case 'number':
        return numberOf(schema)
      case 'boolean':
        return false
      default:
        return textOf(schema, name)
    }
  }

  /** The example of an object with only its first fields, as in an update. */
  first(schema: Json, count: number): Json {
    return Object.fromEntries(Object.entries(this.of(schema) as Json).slice(0, count))
  }

  private resolve(schema: Json): Json {
    return this.components.get((schema.$ref as string).split('/').at(-1)!)
  }

  private object(schema: Json): Json {
    const required = new Set((schema.required ?? []) as string[])
    const properties = Object.entries((schema.properties ?? {}) as Record<string, Json>)
    const shown = properties.filter(
      ([name, property]) => required.has(name) || !this.isLeftOut(name, property)
    )
    return Object.fromEntries(shown.map(([name, property]) => [name, this.of(property, name)]))
  }

  // Related records would repeat without end. A body that anybody can try names no record that may be missing.
  private isLeftOut(name: string, property: Json): boolean {
    const [first] = (property.anyOf ?? [property]) as Json[]
    const isRecord =
      first!.$ref !== undefined && 'version' in ((this.resolve(first!).properties ?? {}) as Json)
    if (this.side === 'answer') return isRecord
    const isReference = property.format === 'uuid' && typesOf(property).includes('null')
    return isRecord || isReference || alternatives.has(name) || byName[name] === null
  }
}
