import fastJsonStringify from 'fast-json-stringify'
import { Closed, Type, type TSchema } from '../kernel/schema.js'
import type { Operation } from '../kernel/operation.js'
import { resourceNamed, type Resource } from '../kernel/resource.js'

const freeForm = new Set(['json', 'customFields'])

// What the serialiser needs of a schema: types and names. Formats, bounds and required lists only cost time.
function lean(schema: TSchema): object {
  if (freeForm.has(schema['x-kind'] as string)) return {}
  const type = schema.type as string | string[] | undefined
  const properties = schema.properties as Record<string, TSchema> | undefined
  const items = schema.items as TSchema | undefined
  return {
    ...(type && { type }),
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([k, v]) => [k, lean(v)]))
    }),
    ...(items && { items: lean(items) })
  }
}

/** A record as it is answered: its model, and the related records that `include` may put into it. */
export function recordSchema(resource: Resource): TSchema {
  const embedded = Object.entries(resource.relations)
    .filter(([, r]) => r.kind === 'one')
    .map(([name, r]) => {
      const target = resourceNamed(r.target).model
      // A type array, which serialises faster than a union, is no form of TypeBox's own types.
      return [name, Type.Optional({ ...target, type: ['object', 'null'] } as unknown as TSchema)]
    })
  return Closed({
    ...resource.model.properties,
    ...(Object.fromEntries(embedded) as Record<string, TSchema>)
  })
}

/** A page as REST answers it. */
export const pageSchema = (resource: Resource): TSchema =>
  Closed({
    data: Type.Array(recordSchema(resource)),
    page: Closed({
      hasMore: Type.Boolean(),
      nextCursor: Type.Unsafe<string | null>({ type: ['string', 'null'] }),
      totalCount: Type.Optional(Type.Integer())
    })
  })

/** The schema of an operation's answer over REST, or undefined where it has no body. */
export function answerSchema(operation: Operation): TSchema | undefined {
  const { kind, resource, schema } = operation.result
  if (kind === 'record') return recordSchema(resource!)
  if (kind === 'page') return pageSchema(resource!)
  return kind === 'value' || kind === 'stream' ? schema : undefined
}

/** A compiled JSON writer for an answer; fields that are undefined are left out. */
export function writerOf(schema: TSchema): (value: unknown) => string {
  let write: ((value: unknown) => string) | undefined
  // The library types the literals that one writes by hand; this schema is made.
  return value => (write ??= fastJsonStringify(lean(schema) as never) as (value: unknown) => string)(value)
}
