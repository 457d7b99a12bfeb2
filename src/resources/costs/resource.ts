import { one, resource } from '../../kernel/resource.js'
import { About, Currency, Day, Enum, Id, Money, Nullable, Text } from '../../kernel/schema.js'
import { costs as table } from './table.js'

export const costs = resource({
  name: 'cost',
  plural: 'costs',
  description: 'Money spent to win customers, on a day or spread evenly over a span of days.',
  table,
  fields: {
    date: About('The day of the cost; else `from` and `to`.', Nullable(Day())),
    from: About('The first day of the span.', Nullable(Day())),
    to: About('The last day of the span, included.', Nullable(Day())),
    category: About('What the money went to.', Enum('CostCategory', ['marketing', 'sales'])),
    campaignId: Nullable(Id('The campaign it belongs to.')),
    channel: About('The channel it belongs to, where that is not told by the campaign.', Nullable(Text(100))),
    amount: About('How much, in its currency; a recorded 0 is known to be 0.', Money()),
    currency: About('ISO 4217.', Currency()),
    description: About('What it was for.', Nullable(Text(20000)))
  },
  filters: ['date', 'from', 'to', 'category', 'campaignId', 'channel', 'amount', 'currency'],
  sorts: ['date'],
  rules: {
    costs_when: {
      pointer: '/date',
      code: 'date_or_span',
      message: 'A cost has either a date, or from and to.'
    },
    costs_span: { pointer: '/to', code: 'before_start', message: 'to lies before from.' },
    costs_amount: { pointer: '/amount', code: 'minimum', message: 'A cost is not negative.' }
  },
  relations: { campaign: one('campaign', 'campaignId') }
})
