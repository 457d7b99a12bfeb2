import { raw } from 'sql-template-tag'
import {
  Closed,
  Country,
  Enum,
  Instant,
  List,
  Merged,
  Nullable,
  Text,
  Type,
  type Field
} from '../kernel/schema.js'
import type { Address } from '../database/columns.js'

const relationships = ['customer', 'supplier', 'owner', 'employee', 'partner', 'other'] as const
const lifecycleStages = [
  'awareness',
  'interest',
  'consideration',
  'decision',
  'action',
  'retention',
  'advocacy'
] as const

/** What somebody is to the business; any number of them. */
export const Relationships = () => List(Enum('Relationship', relationships), relationships.length)

export type Stage = (typeof lifecycleStages)[number]

/** A stage on the way from a stranger to somebody who speaks for the business. */
export const EnteredStage = () => Enum('LifecycleStage', lifecycleStages)

/** How far along a stranger has come; null where nobody says. */
export const LifecycleStage = () => Nullable(EnteredStage())

/** The past of an imported record, in the place of its stage: which one it entered when. */
export const LifecycleHistory = () =>
  Type.Optional(
    Type.Array(Closed({ stage: EnteredStage(), at: Instant() }), {
      minItems: 1,
      maxItems: 100,
      description: 'The stages entered in the past, with their times; the last one is where it is.'
    })
  )

const line = () => Type.Optional(Nullable(Text(200)))

/** A postal address; an update merges into it. */
export const AddressSchema = (): Field<Address | null> =>
  Nullable(
    Merged<Address>('Address', {
      line1: line(),
      line2: line(),
      district: line(),
      city: line(),
      region: line(),
      postalCode: line()
    })
  )

export const CountryCode = () => Nullable(Country())

/** The database's clock, which decides what lies in the future. */
export const clock = raw(`date_trunc('milliseconds', clock_timestamp())`)
