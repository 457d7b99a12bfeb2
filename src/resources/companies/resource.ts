import { many, one, resource } from '../../kernel/resource.js'
import {
  About,
  Currency,
  Domain,
  Id,
  Integer,
  Money,
  Nullable,
  Phone,
  Text,
  Url
} from '../../kernel/schema.js'
import {
  AddressSchema,
  CountryCode,
  currencyRule,
  lifecycleEvents,
  LifecycleHistory,
  LifecycleStage,
  Relationships
} from '../shared.js'
import { companies as table } from './table.js'

export const companies = resource({
  name: 'company',
  plural: 'companies',
  description: 'An organisation that the business deals with.',
  table,
  onCreate: { lifecycleHistory: LifecycleHistory() },
  fields: {
    name: About('What it is called.', Text(300)),
    domain: About('Its internet domain, lower case, without www; not unique.', Nullable(Domain())),
    industry: About('What it does, in your own words.', Nullable(Text(200))),
    employeeCount: About('How many people work there.', Nullable(Integer(0, 2147483647))),
    foundedYear: About('The year it was founded.', Nullable(Integer(1, 9999))),
    annualRevenue: About('What it takes in a year, in its currency.', Nullable(Money())),
    currency: About('ISO 4217: the currency of its revenue, which needs one.', Nullable(Currency())),
    phone: About('E.164.', Nullable(Phone())),
    website: About('Its address on the web.', Nullable(Url())),
    country: About('ISO 3166-1 alpha-2.', CountryCode()),
    address: AddressSchema(),
    relationships: About('What it is to the business; any number of these.', Relationships()),
    lifecycleStage: About('How far along it has come.', LifecycleStage()),
    sourceChannel: About('The channel it came through first.', Nullable(Text(100))),
    parentId: Nullable(Id('The company it belongs to.')),
    ownerId: Nullable(Id('The user who looks after it.'))
  },
  filters: [
    'name',
    'domain',
    'industry',
    'employeeCount',
    'foundedYear',
    'annualRevenue',
    'currency',
    'country',
    'relationships',
    'lifecycleStage',
    'sourceChannel',
    'parentId',
    'ownerId'
  ],
  sorts: ['name'],
  search: { title: ['name'], also: ['domain', 'phone'] },
  events: lifecycleEvents('company'),
  rules: currencyRule('companies'),
  relations: {
    parent: one('company', 'parentId'),
    owner: one('user', 'ownerId'),
    subsidiaries: many('company', 'parentId'),
    contacts: many('contact', 'companyId'),
    deals: many('deal', 'companyId'),
    leads: many('lead', 'companyId'),
    activities: many('activity', 'companyId'),
    orders: many('order', 'companyId'),
    subscriptions: many('subscription', 'companyId')
  }
})
