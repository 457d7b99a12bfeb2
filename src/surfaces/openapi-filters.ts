import { hasParts, TimePart } from '../kernel/filter-parts.js'
import { operatorsOf, type Operator } from '../kernel/filter-values.js'
import { resourceNamed, type FieldInfo, type Resource } from '../kernel/resource.js'
import { isNullable, type Field, type TSchema } from '../kernel/schema.js'
import { pascal } from './openapi-names.js'
import type { Components, Json } from './openapi-schemas.js'

const equality = {
  eq: 'is this',
  ne: 'is not this, or is empty',
  in: 'is one of these',
  notIn: 'is none of these, or is empty',
  contains: 'contains this text, upper or lower case',
  startsWith: 'starts with this text, upper or lower case',
  isNull: 'is empty (`true`) or is not (`false`)'
}
const numbers = {
  gt: 'is more than this',
  gte: 'is this or more',
  lt: 'is less than this',
  lte: 'is this or less'
}
const times = {
  gt: 'is after this',
  gte: 'is this or after it',
  lt: 'is before this',
  lte: 'is this or before it'
}

/** What an operator asks of a field, as the end of a sentence. */
export function meaningOf(operator: Operator, field: FieldInfo): string {
  if (operator === 'contains' && field.kind === 'list') return 'has this among its values'
  if (field.kind === 'links') return `names the ${field.schema['x-link']!.target} of this id`
  const isTime = field.kind === 'instant' || field.kind === 'day'
  return { ...equality, ...(isTime ? times : numbers) }[operator]
}

const piece = { type: 'string', minLength: 1, maxLength: 1000 }
const instant = {
  description: 'A time, or a date for its midnight in UTC.',
  anyOf: [
    { type: 'string', format: 'date-time' },
    { type: 'string', format: 'date' }
  ],
  examples: ['2026-01-31']
}
const scalar = { type: ['string', 'number', 'boolean'], maxLength: 10000, examples: ['gold'] }
const numeric = { type: ['number', 'string'], examples: [10] }

const plainKinds: Record<string, Json> = {
  id: { type: 'string', format: 'uuid' },
  text: { type: 'string', maxLength: 1000 },
  email: { type: 'string', format: 'email' },
  integer: { type: 'integer' },
  number: { type: 'number' },
  decimal: { type: 'string', pattern: '^-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,12})?$', examples: ['1200.5'] },
  boolean: { type: 'boolean' },
  day: { type: 'string', format: 'date' },
  customFields: scalar
}

// Being empty has an operator of its own, so null is not among the choices.
function bare(schema: Field): TSchema {
  if (!isNullable(schema)) return schema
  return { ...schema, type: 'string', enum: schema.enum?.filter(v => v !== null) }
}

/** The schema of one value that an operator compares a field with. */
export function operandSchema(components: Components, field: FieldInfo, operator: Operator): Json {
  if (operator === 'isNull') return { type: 'boolean' }
  if (field.kind === 'list') return components.of(field.schema.items!, 'input')
  if (field.kind === 'links') return plainKinds.id!
  if (operator === 'contains' || operator === 'startsWith') return piece
  if (field.kind === 'enum') return components.of(bare(field.schema), 'input')
  if (field.kind === 'customFields' && /^[gl]te?$/.test(operator)) return numeric
  return field.kind === 'instant' ? components.add('InstantOrDay', () => instant) : plainKinds[field.kind]!
}

const isMany = (operator: Operator) => operator === 'in' || operator === 'notIn'

/** A list of values where the operator takes several. */
export function operandsSchema(components: Components, field: FieldInfo, operator: Operator): Json {
  const one = operandSchema(components, field, operator)
  return isMany(operator) ? { type: 'array', items: one } : one
}

function operatorsName(field: FieldInfo): string {
  const items = field.schema.items
  if (field.kind === 'list') return `${items?.['x-enum'] ?? pascal(items?.['x-kind'] ?? 'text')}ListOperators`
  if (field.kind === 'customFields') return 'CustomFieldOperators'
  return `${field.schema['x-enum'] ?? pascal(field.kind)}Operators`
}

const sentence = (text: string) => `${pascal(text)}.`

function fieldOperators(components: Components, field: FieldInfo): Json {
  const reference = components.add(operatorsName(field), () => ({
    type: 'object',
    description: 'All that are given must hold.',
    additionalProperties: false,
    properties: {
      ...Object.fromEntries(
        operatorsOf[field.kind].map(operator => [
          operator,
          {
            ...operandsSchema(components, field, operator),
            description: sentence(meaningOf(operator, field))
          }
        ])
      ),
      ...(hasParts(field) && {
        part: { ...components.of(TimePart, 'input'), description: 'Has this hour, day of the week or month.' }
      })
    }
  }))
  if (field.kind !== 'customFields') return reference
  return {
    type: 'object',
    description: 'Operators by the name of a field of your own.',
    propertyNames: field.schema.propertyNames,
    additionalProperties: reference
  }
}

function filterExample(resource: Resource): Json {
  const text = resource.filters.map(f => resource.fields.get(f)!).find(f => f.kind === 'text')
  const age = { createdAt: { gte: '2026-01-31' } }
  return text ? { and: [{ [text.name]: { isNull: false } }, age] } : age
}

/**
 * The JSON filter of a resource as a component: `and`, `or`, `not`, its fields with their operators, and relations one
 * hop away, whose filters go no further (`withRelations` false).
 */
export function filterSchema(components: Components, resource: Resource, withRelations: boolean): Json {
  const name = `${resource.typeName}${withRelations ? '' : 'Fields'}Filter`
  return components.add(name, () => {
    const self = filterSchema(components, resource, withRelations)
    const list = { type: 'array', items: self }
    const fields = [...resource.filters, 'customFields'].map(f => resource.fields.get(f)!)
    const relations = withRelations ? Object.entries(resource.relations) : []
    return {
      type: 'object',
      description:
        'All that is given must hold. At most 10 levels, 100 conditions, and 1,000 values in a list.' +
        (withRelations ? '' : ' It goes no further than these fields.'),
      additionalProperties: false,
      properties: {
        and: { ...list, description: 'All of these hold.' },
        or: { ...list, description: 'One of these holds.' },
        not: { ...self, description: 'This does not hold.' },
        ...Object.fromEntries(fields.map(f => [f.name, fieldOperators(components, f)])),
        ...Object.fromEntries(
          relations.map(([key, { kind, target }]) => [
            key,
            {
              ...filterSchema(components, resourceNamed(target), false),
              description: kind === 'one' ? `Holds for its ${key}.` : `Holds for one of its ${key}.`
            }
          ])
        )
      },
      examples: [filterExample(resource)]
    }
  })
}
