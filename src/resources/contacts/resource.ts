import { many, one, resource } from '../../kernel/resource.js'
import { Day, Email, Id, Language, List, Nullable, Phone, Text, TimeZone } from '../../kernel/schema.js'
import { AddressSchema, CountryCode, LifecycleStage, Relationships } from '../shared.js'
import { contacts as table } from './table.js'

export const contacts = resource({
  name: 'contact',
  plural: 'contacts',
  description: 'A person that the business deals with.',
  table,
  fields: {
    firstName: Nullable(Text(200)),
    lastName: Nullable(Text(200)),
    email: Nullable(Email()),
    phone: Nullable(Phone()),
    jobTitle: Nullable(Text(200)),
    companyId: Nullable(Id('The company this person works for.')),
    ownerId: Nullable(Id('The user who looks after this person.')),
    relationships: Relationships(),
    lifecycleStage: LifecycleStage(),
    sourceChannel: Nullable(Text(100)),
    language: Nullable(Language()),
    timeZone: Nullable(TimeZone()),
    country: CountryCode(),
    address: AddressSchema(),
    birthDate: Nullable(Day()),
    interests: List(Text(100), 100),
    needs: Nullable(Text(20000)),
    painPoints: Nullable(Text(20000)),
    tags: List(Text(100), 100)
  },
  filters: [
    'firstName',
    'lastName',
    'email',
    'phone',
    'jobTitle',
    'companyId',
    'ownerId',
    'relationships',
    'lifecycleStage',
    'sourceChannel',
    'language',
    'country',
    'birthDate',
    'interests',
    'tags'
  ],
  sorts: ['firstName', 'lastName'],
  relations: {
    company: one('company', 'companyId'),
    owner: one('user', 'ownerId'),
    deals: many('deal', 'primaryContactId')
  }
})
