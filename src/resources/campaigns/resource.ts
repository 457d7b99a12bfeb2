import { many, resource } from '../../kernel/resource.js'
import { About, Currency, Day, Enum, Money, Nullable, Text } from '../../kernel/schema.js'
import { campaigns as table } from './table.js'

export const campaigns = resource({
  name: 'campaign',
  plural: 'campaigns',
  description: 'An effort to win attention, whose costs and results belong together.',
  table,
  fields: {
    name: About('What it is called.', Text(300)),
    description: About('What it is about.', Nullable(Text(20000))),
    channel: About('The channel it runs on, in your own words.', Nullable(Text(100))),
    direction: About(
      'Inbound: people come by themselves; outbound: they are approached.',
      Nullable(Enum('CampaignDirection', ['inbound', 'outbound']))
    ),
    startDate: About('The first day.', Nullable(Day())),
    endDate: About('The last day.', Nullable(Day())),
    budget: About('What may be spent on it, in its currency.', Nullable(Money())),
    currency: About('ISO 4217: the currency of the budget.', Nullable(Currency()))
  },
  filters: ['name', 'channel', 'direction', 'startDate', 'endDate', 'budget', 'currency'],
  sorts: ['name'],
  search: { title: ['name'] },
  rules: {
    campaigns_dates: { pointer: '/endDate', code: 'before_start', message: 'endDate lies before startDate.' }
  },
  relations: {
    costs: many('cost', 'campaignId'),
    leads: many('lead', 'campaignId'),
    touches: many('touch', 'campaignId'),
    contacts: many('contact', 'campaignId'),
    deals: many('deal', 'campaignId')
  }
})
