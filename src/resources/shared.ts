import { Country, Enum, List, Merged, Nullable, Text, Type, type Field } from '../kernel/schema.js'
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

/** How far along a stranger has come. */
export const LifecycleStage = () => Nullable(Enum('LifecycleStage', lifecycleStages))

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
