import { many, one, resource } from '../../kernel/resource.js'
import { Currency, Domain, Id, Integer, Money, Nullable, Phone, Text, Url } from '../../kernel/schema.js'
import { AddressSchema, CountryCode, LifecycleStage, Relationships } from '../shared.js'
import { companies as table } from './table.js'

export const companies = resource({
  name: 'company',
  plural: 'companies',
  description: 'An organisation that the business deals with.',
  table,
  fields: {
    name: Text(300),
    domain: Nullable(Domain()),
    industry: Nullable(Text(200)),
    employeeCount: Nullable(Integer(0, 2147483647)),
    foundedYear: Nullable(Integer(1, 9999)),
    annualRevenue: Nullable(Money()),
    currency: Nullable(Currency()),
    phone: Nullable(Phone()),
    website: Nullable(Url()),
    country: CountryCode(),
    address: AddressSchema(),
    relationships: Relationships(),
    lifecycleStage: LifecycleStage(),
    sourceChannel: Nullable(Text(100)),
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
  relations: {
    parent: one('company', 'parentId'),
    owner: one('user', 'ownerId'),
    subsidiaries: many('company', 'parentId'),
    contacts: many('contact', 'companyId'),
    deals: many('deal', 'companyId')
  }
})
