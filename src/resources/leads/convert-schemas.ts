import type { Resource } from '../../kernel/resource.js'
import {
  About,
  Bool,
  Closed,
  Enum,
  Id,
  Instant,
  Integer,
  Nullable,
  Partial,
  Type,
  type Static,
  type TSchema
} from '../../kernel/schema.js'
import { JsonValue } from '../../kernel/standard-schemas.js'
import { companies } from '../companies/resource.js'
import { contacts } from '../contacts/resource.js'
import { deals } from '../deals/resource.js'
import { leads } from './resource.js'

/** One of the ways in which a conversion comes to a record. */
export interface Choice {
  id?: string
  match?: true
  create?: Record<string, unknown>
}

// Exactly one property: one way is chosen.
function oneWay(properties: Record<string, TSchema>, description: string, example: Choice) {
  return {
    ...Partial(properties),
    minProperties: 1,
    maxProperties: 1,
    description: `${description} Exactly one of ${Object.keys(properties).join(', ')}.`,
    examples: [example]
  }
}

const orNone = (schema: object) => Type.Unsafe<Choice | null>({ ...schema, type: ['object', 'null'] })

const Match = (description: string) =>
  Type.Unsafe<true>({ type: 'boolean', const: true, 'x-kind': 'boolean', description })

// The links between the records are made by the conversion itself.
function fieldsOf(resource: Resource, links: readonly string[], description: string): TSchema {
  const own = Object.entries(resource.createBody.properties).filter(([name]) => !links.includes(name))
  return { ...Partial(Object.fromEntries(own)), description }
}

const ofLead = "Make it of the lead's fields; those given here count instead."
const link = (what: string) => Id(`The ${what} to link; only its empty fields are filled.`)

const companyChoice = oneWay(
  {
    id: link('company'),
    match: Match(
      "Link the company of the lead's companyDomain, else of its e-mail's domain (not of a provider of mailboxes for everybody), else of its companyName; make it where there is none. Several are a 409 that names them."
    ),
    create: fieldsOf(companies, [], ofLead)
  },
  'Where none is said, the one that the lead belongs to, else a new one if it names a company; null for none.',
  { match: true }
)

const contactChoice = oneWay(
  {
    id: link('contact'),
    match: Match(
      "Link the contact with the lead's e-mail; make it where there is none. Several are a 409 that names them."
    ),
    create: fieldsOf(contacts, ['companyId'], ofLead)
  },
  'Where none is said, the one that the lead has, else a new one if it names a person; null for none.',
  { match: true }
)

const dealChoice = oneWay(
  {
    id: link('deal'),
    create: fieldsOf(
      deals,
      ['companyId', 'primaryContactId'],
      'Make it with a `stageId` or a `history`; called after the company or person, and opened when the lead was converted, unless given.'
    )
  },
  'None unless said.',
  {
    create: {
      name: '40 chairs',
      stageId: '019b4c1a-3c00-7a10-8b20-0242ac120001',
      amount: '4000',
      currency: 'EUR'
    }
  }
)

export const convertBody = Closed({
  company: Type.Optional(orNone(companyChoice)),
  contact: Type.Optional(orNone(contactChoice)),
  deal: Type.Optional(Type.Unsafe<Choice>(dealChoice)),
  ownerId: Type.Optional(Id("The owner of what is made; the lead's unless said.")),
  convertedAt: Type.Optional(
    About('When it was converted; now unless said, never in the future.', Instant())
  ),
  dryRun: Type.Optional(About('Answer what would happen, and write nothing.', Bool()))
})

/** What a conversion is asked to do. */
export type ConvertInput = Static<typeof convertBody>

const outcomes = ['created', 'matched', 'given'] as const

const RecordOf = (resource: Resource) =>
  Type.Unsafe<Record<string, unknown> | null>({
    ...resource.model,
    type: ['object', 'null'],
    'x-resource': resource.name,
    description: `The ${resource.name} as it is now; null where a dry run would make it.`
  })

function part(resource: Resource) {
  const properties = {
    id: Nullable(Id('Its id; null where a dry run would make it.')),
    outcome: About('How the conversion came to it.', Enum('ConversionOutcome', outcomes)),
    written: JsonValue('What was written: all fields of a new record, the ones filled of another.'),
    record: RecordOf(resource)
  }
  const description = `The ${resource.name} that the lead became; null for none.`
  const name = `Converted${resource.typeName}`
  return Type.Unsafe<Part | null>({
    ...Closed(properties),
    type: ['object', 'null'],
    'x-type': name,
    description
  })
}

/** What became of one of the records of a conversion. */
export interface Part {
  id: string | null
  outcome: (typeof outcomes)[number]
  written: Record<string, unknown>
  record: Record<string, unknown> | null
}

const Moved = (what: string) => About(`How many ${what} of the lead it took along.`, Integer(0, 2147483647))

export const convertResult = Closed({
  dryRun: About('Whether nothing was written.', Bool()),
  lead: Type.Unsafe<Record<string, unknown>>({ ...leads.model, 'x-resource': leads.name }),
  company: part(companies),
  contact: part(contacts),
  deal: part(deals),
  activities: Moved('activities'),
  touches: Moved('touches')
})

/** What a conversion did. */
export type Conversion = Static<typeof convertResult>
