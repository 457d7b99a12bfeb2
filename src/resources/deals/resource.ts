import { one, resource } from '../../kernel/resource.js'
import {
  Closed,
  Currency,
  Day,
  Enum,
  Id,
  Instant,
  Money,
  Nullable,
  Share,
  Text,
  Type
} from '../../kernel/schema.js'
import { deals as table } from './table.js'

export const dealStatuses = ['open', 'won', 'lost'] as const

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
    openedAt: Instant()
  },
  onCreate: {
    pipelineId: Type.Optional(Id('The pipeline it starts in; the one of its stage.')),
    stageId: Type.Optional(Id('The stage it starts in; needed without `history`.')),
    openedAt: Type.Optional(Instant()),
    history: Type.Optional(HistoryInput)
  },
  fields: {
    name: Text(300),
    description: Nullable(Text(20000)),
    amount: Nullable(Money()),
    currency: Nullable(Currency()),
    probability: Nullable(Share()),
    forecastCategory: Nullable(
      Enum('ForecastCategory', ['pipeline', 'best_case', 'commit', 'closed', 'omitted'])
    ),
    expectedCloseDate: Nullable(Day()),
    lostReason: Nullable(Text(500)),
    type: Nullable(Enum('DealType', ['new', 'upsell', 'cross_sell', 'renewal'])),
    sourceChannel: Nullable(Text(100)),
    companyId: Nullable(Id('The company that would buy.')),
    primaryContactId: Nullable(Id('The person who would buy.')),
    ownerId: Nullable(Id('The user who works on it.'))
  },
  readonly: {
    status: Enum('DealStatus', dealStatuses),
    stageEnteredAt: Instant(),
    closedAt: Nullable(Instant())
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
    'companyId',
    'primaryContactId',
    'ownerId'
  ],
  sorts: ['name', 'openedAt', 'closedAt', 'expectedCloseDate'],
  relations: {
    pipeline: one('pipeline', 'pipelineId'),
    stage: one('stage', 'stageId'),
    company: one('company', 'companyId'),
    primaryContact: one('contact', 'primaryContactId'),
    owner: one('user', 'ownerId')
  }
})
