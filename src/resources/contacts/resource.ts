import { many, one, resource } from '../../kernel/resource.js'
import {
  About,
  Day,
  Email,
  Id,
  Language,
  List,
  Nullable,
  Phone,
  Text,
  TimeZone
} from '../../kernel/schema.js'
import {
  AddressSchema,
  CountryCode,
  lifecycleEvents,
  LifecycleHistory,
  LifecycleStage,
  Relationships
} from '../shared.js'
import { contacts as table } from './table.js'

export const contacts = resource({
  name: 'contact',
  plural: 'contacts',
  description: 'A person that the business deals with.',
  table,
  onCreate: { lifecycleHistory: LifecycleHistory() },
  fields: {
    firstName: About('Given name.', Nullable(Text(200))),
    lastName: About('Family name.', Nullable(Text(200))),
    email: About('Compared in lower case; not unique.', Nullable(Email())),
    phone: About('E.164.', Nullable(Phone())),
    jobTitle: About('What this person does at the company.', Nullable(Text(200))),
    companyId: Nullable(Id('The company this person works for.')),
    ownerId: Nullable(Id('The user who looks after this person.')),
    relationships: About('What this person is to the business; any number of these.', Relationships()),
    lifecycleStage: About('How far along this person has come.', LifecycleStage()),
    sourceChannel: About('The channel this person came through first.', Nullable(Text(100))),
    campaignId: Nullable(Id('The campaign this person came from.')),
    language: About('BCP 47: the language to write in.', Nullable(Language())),
    timeZone: About('IANA: where this person lives by the clock.', Nullable(TimeZone())),
    country: About('ISO 3166-1 alpha-2.', CountryCode()),
    address: AddressSchema(),
    birthDate: About('The day of birth.', Nullable(Day())),
    interests: About('What this person likes to hear about.', List(Text(100), 100)),
    needs: About('What this person needs, in your own words.', Nullable(Text(20000))),
    painPoints: About('What troubles this person, in your own words.', Nullable(Text(20000))),
    tags: About('Labels of your own.', List(Text(100), 100))
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
    'campaignId',
    'language',
    'country',
    'birthDate',
    'interests',
    'tags'
  ],
  sorts: ['firstName', 'lastName'],
  search: { title: ['firstName', 'lastName'], also: ['email', 'phone'] },
  events: lifecycleEvents('contact'),
  relations: {
    company: one('company', 'companyId'),
    campaign: one('campaign', 'campaignId'),
    owner: one('user', 'ownerId'),
    deals: many('deal', 'contacts'),
    leads: many('lead', 'contactId'),
    activities: many('activity', 'contactId'),
    orders: many('order', 'contactId'),
    subscriptions: many('subscription', 'contactId'),
    touches: many('touch', 'contactId')
  }
})
