import { one, resource } from '../../kernel/resource.js'
import { About, Id, Instant, Integer, Nullable, Text } from '../../kernel/schema.js'
import { touches as table } from './table.js'

export const touches = resource({
  name: 'touch',
  plural: 'touches',
  description: 'A moment in which marketing reached a lead or contact: what attribution shares credit among.',
  table,
  fields: {
    leadId: Nullable(Id('The lead it reached.')),
    contactId: Nullable(Id('The contact it reached.')),
    channel: About('The channel it came by.', Text(100)),
    campaignId: Nullable(Id('The campaign it belongs to.')),
    occurredAt: About('When it happened: business time, now unless said.', Instant()),
    seq: About('Tells touches of the same moment apart, in their order.', Integer(0, 2147483647))
  },
  filters: ['leadId', 'contactId', 'channel', 'campaignId', 'occurredAt'],
  sorts: ['occurredAt'],
  rules: {
    touches_whom: { pointer: '/leadId', code: 'whom_missing', message: 'A touch has a lead or a contact.' }
  },
  relations: {
    lead: one('lead', 'leadId'),
    contact: one('contact', 'contactId'),
    campaign: one('campaign', 'campaignId')
  }
})
