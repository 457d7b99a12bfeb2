import { one, resource } from '../../kernel/resource.js'
import { About, Enum, Id, Instant, Nullable, Text } from '../../kernel/schema.js'
import { activities as table } from './table.js'

const types = ['call', 'email', 'meeting', 'demo', 'proposal', 'task', 'note'] as const

export const activities = resource({
  name: 'activity',
  plural: 'activities',
  description: 'A conversation, a note or a task, about any of a contact, company, lead and deal.',
  table,
  createOnly: {
    completedAt: About(
      'When it was completed; null until then. It follows from the status; a creation may tell a past time.',
      Nullable(Instant())
    )
  },
  fields: {
    type: About('What it is.', Enum('ActivityType', types)),
    direction: About('Who began it.', Nullable(Enum('ActivityDirection', ['inbound', 'outbound']))),
    subject: About('What it is about, in a line.', Nullable(Text(500))),
    body: About('What was said or is to be done.', Nullable(Text(100000))),
    status: About(
      'Planned, completed or canceled. Unless said, a task, what is due but has no occurredAt, and what lies ahead is planned; all else is completed.',
      Enum('ActivityStatus', ['planned', 'completed', 'canceled'])
    ),
    dueAt: About('When it should be done.', Nullable(Instant())),
    occurredAt: About('When it happened or begins: business time, now unless said.', Instant()),
    endedAt: About('When it ended.', Nullable(Instant())),
    outcome: About('What came of it.', Nullable(Text(500))),
    channel: About('The channel it went through.', Nullable(Text(100))),
    campaignId: Nullable(Id('The campaign it belongs to.')),
    contactId: Nullable(Id('The contact it is about.')),
    companyId: Nullable(Id('The company it is about.')),
    leadId: Nullable(Id('The lead it is about.')),
    dealId: Nullable(Id('The deal it is about.')),
    ownerId: Nullable(Id('The user who does it.'))
  },
  filters: [
    'type',
    'direction',
    'subject',
    'status',
    'dueAt',
    'occurredAt',
    'endedAt',
    'completedAt',
    'outcome',
    'channel',
    'campaignId',
    'contactId',
    'companyId',
    'leadId',
    'dealId',
    'ownerId'
  ],
  events: { completed: 'A planned activity was completed.' },
  sorts: ['occurredAt', 'dueAt'],
  search: { title: ['subject'] },
  rules: {
    activities_ended: {
      pointer: '/endedAt',
      code: 'before_start',
      message: 'endedAt lies before occurredAt.'
    },
    activities_completed: {
      pointer: '/completedAt',
      code: 'not_completed',
      message: 'An activity that is not completed has no completedAt.'
    }
  },
  relations: {
    campaign: one('campaign', 'campaignId'),
    contact: one('contact', 'contactId'),
    company: one('company', 'companyId'),
    lead: one('lead', 'leadId'),
    deal: one('deal', 'dealId'),
    owner: one('user', 'ownerId')
  }
})
