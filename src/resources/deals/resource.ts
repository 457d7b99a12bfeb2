import { many, one, resource } from '../../kernel/resource.js'
import {
  About,
  Closed,
  Currency,
  Day,
  Enum,
  Id,
  Instant,
  Links,
  Money,
  Nullable,
  Reference,
  Share,
  Text,
  Type
} from '../../kernel/schema.js'
import { deals as table, type DealContact } from './table.js'

export const dealStatuses = ['open', 'won', 'lost'] as const

/** How many contacts a deal may have. */
export const mostContacts = 100

const DealContacts = () =>
  Links<DealContact>(
    'DealContact',
    {
      target: 'contact',
      member: 'contactId',
      table: 'deal_contacts',
      record: 'deal_id',
      linked: 'contact_id'
    },
    {
      contactId: Reference('contact', 'The person.'),
      role: Type.Optional(
        About(
          'The part this person has in the decision; null where it is not known.',
          Nullable(
            Enum('DealContactRole', [
              'decision_maker',
              'economic_buyer',
              'champion',
              'influencer',
              'user',
              'blocker',
              'other'
            ])
          )
        )
      )
    },
    mostContacts,
    'Everybody who has a part in the deal, the primary contact always among them; nobody twice.'
  )

/** The past of an imported deal: where it stood since when, and what was known of it then. */
const HistoryInput = Type.Array(
  Closed({
    stageId: Id(),
    at: Instant(),
    amount: Type.Optional(Nullable(Money())),
    currency: Type.Optional(Nullable(Currency())),
    probability: Type.Optional(Nullable(Share())),
    expectedCloseDate: Type.Optional(Nullable(Day())),
    ownerId: Type.Optional(Nullable(Id()))
  }),
  { minItems: 1, maxItems: 1000 }
)

export const deals = resource({
  name: 'deal',
  plural: 'deals',
  description: 'A chance of a sale. Its stage, status and close follow from its history.',
  table,
  createOnly: {
    pipelineId: Id('The pipeline it starts in; the one of its stage.'),
    stageId: Id('The stage it is in; changed by moving it.'),
    openedAt: About('When the chance arose; business time, moved back by an earlier move.', Instant())
  },
  onCreate: {
    pipelineId: Type.Optional(Id('The pipeline it starts in; the one of its stage.')),
    stageId: Type.Optional(Id('The stage it starts in; needed without `history`.')),
    openedAt: Type.Optional(About('When the chance arose; now unless said.', Instant())),
    history: Type.Optional(HistoryInput)
  },
  fields: {
    name: About('What it is called.', Text(300)),
    description: About('What it is about.', Nullable(Text(20000))),
    amount: About('What it would bring, in its currency; null while unknown.', Nullable(Money())),
    currency: About('ISO 4217: the currency of the amount.', Nullable(Currency())),
    probability: About(
      'How likely it is to be won, 0 to 1, where it differs from that of its stage.',
      Nullable(Share())
    ),
    forecastCategory: About(
      'Where it stands in the forecast.',
      Nullable(Enum('ForecastCategory', ['pipeline', 'best_case', 'commit', 'closed', 'omitted']))
    ),
    expectedCloseDate: About('The day it is expected to close.', Nullable(Day())),
    lostReason: About('Why it was lost; cleared when it is reopened.', Nullable(Text(500))),
    type: About(
      'What kind of sale it is.',
      Nullable(Enum('DealType', ['new', 'upsell', 'cross_sell', 'renewal']))
    ),
    sourceChannel: About('The channel it came through.', Nullable(Text(100))),
    campaignId: Nullable(Id('The campaign it came from.')),
    productId: Nullable(Id('What would be bought.')),
    companyId: Nullable(Id('The company that would buy.')),
    primaryContactId: Nullable(
      Id('The person who would buy: one of the contacts, added to them where it is not.')
    ),
    contacts: DealContacts(),
    ownerId: Nullable(Id('The user who works on it.'))
  },
  readonly: {
    status: About('Open, won or lost: the kind of its stage.', Enum('DealStatus', dealStatuses)),
    stageEnteredAt: About('When it entered its stage.', Instant()),
    closedAt: About('When it was last won or lost; null while open.', Nullable(Instant())),
    leadId: Nullable(Id('The lead it came from: the first one that became it.'))
  },
  events: {
    stage_changed: 'A deal entered another stage; won and lost are stages too.',
    history_changed: 'The past of a deal changed, not the stage it is in.'
  },
  filters: [
    'name',
    'pipelineId',
    'stageId',
    'status',
    'amount',
    'currency',
    'probability',
    'forecastCategory',
    'openedAt',
    'stageEnteredAt',
    'expectedCloseDate',
    'closedAt',
    'lostReason',
    'type',
    'sourceChannel',
    'campaignId',
    'productId',
    'companyId',
    'primaryContactId',
    'leadId',
    'contacts',
    'ownerId'
  ],
  sorts: ['name', 'openedAt', 'closedAt', 'expectedCloseDate'],
  search: { title: ['name'] },
  relations: {
    pipeline: one('pipeline', 'pipelineId'),
    stage: one('stage', 'stageId'),
    company: one('company', 'companyId'),
    primaryContact: one('contact', 'primaryContactId'),
    lead: one('lead', 'leadId'),
    campaign: one('campaign', 'campaignId'),
    product: one('product', 'productId'),
    owner: one('user', 'ownerId'),
    leads: many('lead', 'dealId'),
    activities: many('activity', 'dealId'),
    orders: many('order', 'dealId')
  }
})
