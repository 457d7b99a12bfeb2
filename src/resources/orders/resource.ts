import { one, resource } from '../../kernel/resource.js'
import { About, Currency, Id, Instant, Money, Nullable, Text } from '../../kernel/schema.js'
import { orders as table } from './table.js'

export const orders = resource({
  name: 'order',
  plural: 'orders',
  description: 'What a company or a contact bought: the ground for lifetime value.',
  table,
  fields: {
    number: About('Your own number of it.', Nullable(Text(100))),
    companyId: Nullable(Id('The company that bought; it counts as the customer before the contact.')),
    contactId: Nullable(Id('The person who bought.')),
    dealId: Nullable(Id('The deal it came from.')),
    productId: Nullable(Id('What was bought.')),
    amount: About('What it brought, in its currency; null while unknown.', Nullable(Money())),
    currency: About('ISO 4217: the currency of amount and direct cost.', Nullable(Currency())),
    directCost: About('What it cost to deliver, in its currency.', Nullable(Money())),
    orderedAt: About('When it was bought: business time, now unless said.', Instant()),
    ownerId: Nullable(Id('The user who sold it.'))
  },
  filters: [
    'number',
    'companyId',
    'contactId',
    'dealId',
    'productId',
    'amount',
    'currency',
    'directCost',
    'orderedAt',
    'ownerId'
  ],
  sorts: ['orderedAt'],
  search: { title: ['number'] },
  rules: {
    orders_customer: {
      pointer: '/companyId',
      code: 'customer_missing',
      message: 'An order has a company or a contact.'
    },
    orders_amount_currency: {
      pointer: '/currency',
      code: 'currency_missing',
      message: 'An amount needs a currency.'
    }
  },
  relations: {
    company: one('company', 'companyId'),
    contact: one('contact', 'contactId'),
    deal: one('deal', 'dealId'),
    product: one('product', 'productId'),
    owner: one('user', 'ownerId')
  }
})
