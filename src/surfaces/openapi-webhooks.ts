import {
  allEventTypes,
  eventSchema,
  eventTypesOf,
  unsequencedSchema,
  type EventType
} from '../kernel/event-types.js'
import type { Resource } from '../kernel/resource.js'
import type { Components, Json } from './openapi-schemas.js'

function eventOf(resource: Resource, schema: EventType['envelope'], components: Components): Json {
  const name = schema === unsequencedSchema ? 'UnsequencedEvent' : 'Event'
  const envelope = components.result(name, schema)
  const model = components.model(resource)
  const types = eventTypesOf(resource).filter(t => t.envelope === schema)
  return components.add(`${resource.typeName}${name}`, () => ({
    description: `A change of a ${resource.name}.`,
    allOf: [
      envelope,
      {
        type: 'object',
        properties: {
          type: { enum: types.map(t => t.type) },
          resource: { const: resource.name },
          data: model,
          previous: {
            anyOf: [{ type: 'object', additionalProperties: true }, { type: 'null' }],
            description: eventSchema.properties.previous.description
          }
        }
      }
    ]
  }))
}

/** Every type of event, as what a webhook receives. */
export function webhooksOf(components: Components): Record<string, Json> {
  return Object.fromEntries(
    allEventTypes().map(({ type, description, resource, envelope }) => {
      const schema = eventOf(resource, envelope, components)
      const post = {
        operationId: `on.${type}`,
        tags: ['events'],
        summary: description,
        requestBody: { required: true, content: { 'application/json': { schema } } },
        responses: { '2XX': { description: 'Received; anything else is sent again.' } }
      }
      return [type, { post }]
    })
  )
}
