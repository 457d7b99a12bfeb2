import { eventSchema, eventTypesOf } from '../kernel/event-types.js'
import { allResources, type Resource } from '../kernel/resource.js'
import type { Components, Json } from './openapi-schemas.js'

function eventOf(resource: Resource, components: Components): Json {
  const envelope = components.result('Event', eventSchema)
  const model = components.model(resource)
  return components.add(`${resource.typeName}Event`, () => ({
    description: `A change of a ${resource.name}.`,
    allOf: [
      envelope,
      {
        type: 'object',
        properties: {
          type: { enum: eventTypesOf(resource).map(t => t.type) },
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
    allResources().flatMap(resource => {
      const schema = eventOf(resource, components)
      return eventTypesOf(resource).map(({ type, description }) => [
        type,
        {
          post: {
            operationId: `on.${type}`,
            tags: ['events'],
            summary: description,
            requestBody: { required: true, content: { 'application/json': { schema } } },
            responses: { '2XX': { description: 'Received; anything else is sent again.' } }
          }
        }
      ])
    })
  )
}
