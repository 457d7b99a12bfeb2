import { allResources, type Resource } from './resource.js'
import { About, Closed, Enum, Id, Instant, List, Nullable, Text, Type, type TSchema } from './schema.js'
import { JsonValue } from './standard-schemas.js'
import { suggestion } from './validate.js'

/** The version of the payloads' form; a change that readers would notice makes another one. */
export const payloadVersion = '1'

/** A decimal string that grows by one with each event of a workspace. */
export const Sequence = () => Text(19, { pattern: '^[0-9]{1,18}$', examples: ['4711'] })

/** An event as every reader gets it: the feed, streams and webhooks. */
export const eventSchema = Closed(
  {
    id: Id('Stable across retries and readers.'),
    sequence: Sequence(),
    type: Text(100),
    payloadVersion: Text(10, { description: 'The version of the form of this payload.', examples: ['1'] }),
    resource: Text(50),
    recordId: Id(),
    occurredAt: Instant(),
    recordedAt: Instant(),
    actor: Closed({ type: Enum('ActorType', ['user', 'key', 'system']), id: Nullable(Id()) }),
    requestId: Text(200),
    idempotencyKey: Nullable(Text(255)),
    data: JsonValue('The record after the change.'),
    previous: JsonValue('The fields that changed, as they were; null for a new record.'),
    changedFields: List(Text(100), 200)
  },
  { 'x-type': 'Event' }
)

/** An event that is in nobody's feed. */
export const unsequencedSchema = Closed(
  {
    ...eventSchema.properties,
    sequence: About("Null: the event is in nobody's feed.", Nullable(Sequence()))
  },
  { 'x-type': 'UnsequencedEvent' }
)

export interface EventType {
  type: string
  resource: Resource
  description: string
  /** The part of its payload that does not depend on the resource. */
  envelope: typeof eventSchema | typeof unsequencedSchema
}

const a = ({ name }: Resource) => `${/^[aeiou]/.test(name) ? 'An' : 'A'} ${name}`

const standard: Record<string, (resource: Resource) => string> = {
  created: r => `${a(r)} was made.`,
  updated: r => `${a(r)} was changed.`,
  deleted: r => `${a(r)} went to the bin.`,
  restored: r => `${a(r)} came back from the bin.`
}

/** The types of events of a resource: one for each change that is more than an update. */
export function eventTypesOf(resource: Resource): EventType[] {
  const type = (envelope: EventType['envelope']) => (verb: string, description: string) => ({
    type: `${resource.eventName}.${verb}`,
    resource,
    description,
    envelope
  })
  const [sequenced, unsequenced] = [type(eventSchema), type(unsequencedSchema)]
  return [
    ...Object.entries(standard).map(([verb, describe]) => sequenced(verb, describe(resource))),
    ...Object.entries(resource.events).map(([verb, description]) => sequenced(verb, description)),
    ...Object.entries(resource.unsequenced).map(([verb, description]) => unsequenced(verb, description))
  ]
}

/** Every type of event there is. */
export const allEventTypes = (): EventType[] => allResources().flatMap(eventTypesOf)

/** The schema of one type's events: the record and what changed of it are those of its resource. */
export function payloadSchema({ type, resource, envelope }: EventType): TSchema {
  const { properties } = resource.model
  return Type.Object({
    ...envelope.properties,
    type: Type.Literal(type),
    resource: Type.Literal(resource.name),
    data: resource.model,
    previous: Type.Unsafe<Record<string, unknown> | null>({
      type: ['object', 'null'],
      properties,
      description: eventSchema.properties.previous.description
    })
  })
}

const formats: Record<string, string | undefined> = {
  uuid: 'uuid',
  email: 'email',
  instant: 'date-time',
  day: 'date',
  'http-url': 'uri'
}

/** A schema of ours as plain JSON Schema, without our own keywords and formats. */
export function publicSchema(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(publicSchema)
  if (typeof schema !== 'object' || schema === null) return schema
  return Object.fromEntries(
    Object.entries(schema).flatMap(([key, value]) => {
      if (key.startsWith('x-')) return []
      if (key === 'format' && typeof value === 'string') return formats[value] ? [[key, formats[value]]] : []
      return [[key, publicSchema(value)]]
    })
  )
}

/**
 * The types that a pattern stands for: `*` for all, `deal.*` for those of deals, `*.created` for those of that verb, a
 * name for itself. Anything else stands for none.
 */
export function typesMatching(pattern: string): EventType[] {
  const types = allEventTypes()
  if (pattern === '*') return types
  if (pattern.endsWith('.*')) return types.filter(({ type }) => type.startsWith(pattern.slice(0, -1)))
  if (pattern.startsWith('*.')) return types.filter(({ type }) => type.endsWith(pattern.slice(1)))
  return types.filter(({ type }) => type === pattern)
}

/** What to say of a pattern that stands for no type. */
export function noSuchType(pattern: string): string {
  const known = allEventTypes().map(t => t.type)
  const hint = suggestion(pattern, [...known, ...known.map(type => type.replace(/[^.]*$/, '*'))])
  return `${pattern} is not a type of events.${hint}`
}
