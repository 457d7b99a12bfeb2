import { one, resource } from '../../kernel/resource.js'
import { About, Currency, Day, Enum, Id, Money, Nullable, Text } from '../../kernel/schema.js'
import { subscriptions as table } from './table.js'

export const subscriptions = resource({
  name: 'subscription',
  plural: 'subscriptions',
  description:
    'What a company or a contact pays for again and again, from a day on until it ends: the ground for churn. A changed plan or price is a subscription of its own from that day.',
  table,
  fields: {
    companyId: Nullable(Id('The company that subscribed; it counts as the customer before the contact.')),
    contactId: Nullable(Id('The person who subscribed.')),
    plan: About('What is subscribed to, in your own words.', Nullable(Text(200))),
    term: About(
      'How long it is agreed for, in your own words, such as month-to-month or two years.',
      Nullable(Text(100))
    ),
    startDate: About('The first day on which it runs.', Day()),
    endDate: About('The day on which it ended, itself outside; null while no end is known.', Nullable(Day())),
    recurringAmount: About(
      'What it brings in each interval, in its currency; null while unknown.',
      Nullable(Money())
    ),
    currency: About('ISO 4217: the currency of the recurring amount.', Nullable(Currency())),
    interval: About(
      'What the recurring amount is paid for.',
      Enum('SubscriptionInterval', ['week', 'month', 'quarter', 'year'])
    ),
    ownerId: Nullable(Id('The user who looks after it.'))
  },
  filters: [
    'companyId',
    'contactId',
    'plan',
    'term',
    'startDate',
    'endDate',
    'recurringAmount',
    'currency',
    'interval',
    'ownerId'
  ],
  sorts: ['startDate', 'endDate'],
  rules: {
    subscriptions_customer: {
      pointer: '/companyId',
      code: 'customer_missing',
      message: 'A subscription has a company or a contact.'
    },
    subscriptions_dates: {
      pointer: '/endDate',
      code: 'before_start',
      message: 'endDate lies before startDate.'
    },
    subscriptions_amount: {
      pointer: '/recurringAmount',
      code: 'minimum',
      message: 'A recurring amount is not negative.'
    },
    subscriptions_amount_currency: {
      pointer: '/currency',
      code: 'currency_missing',
      message: 'An amount needs a currency.'
    }
  },
  relations: {
    company: one('company', 'companyId'),
    contact: one('contact', 'contactId'),
    owner: one('user', 'ownerId')
  }
})
