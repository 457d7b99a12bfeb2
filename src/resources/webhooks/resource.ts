import { resource } from '../../kernel/resource.js'
import {
  About,
  Bool,
  Enum,
  Id,
  Instant,
  Integer,
  List,
  Nullable,
  Text,
  type Field
} from '../../kernel/schema.js'
import { webhooks as table } from './table.js'

export const statuses = ['active', 'failing', 'parked', 'disabled'] as const
export const statusReasons = ['exhausted', 'gone', 'credential_gone'] as const
const most = 2147483647

/** `deal.stage_changed`, `deal.*`, `*.deleted` or `*`. */
export const EventType = () =>
  Text(100, {
    pattern: '^(\\*|\\*\\.[a-z][a-z_]*|[a-z][a-z_]*\\.(\\*|[a-z][a-z_]*))$',
    examples: ['deal.*']
  })

const Types = (): Field<string[]> => ({ ...List(EventType(), 100), minItems: 1 })

const Filter = () =>
  Nullable({
    // An object of any members: they are checked against the types of events that it is for.
    ...({ 'x-kind': 'json', type: 'object', additionalProperties: true } as unknown as Field<
      Record<string, unknown>
    >),
    maxProperties: 50,
    examples: [{ amount: { gte: '1000' } }]
  })

export const webhooks = resource({
  name: 'webhook',
  plural: 'webhooks',
  description:
    'An endpoint that gets events as signed requests (Standard Webhooks): each at least once, in order per record.',
  table,
  fields: {
    url: About(
      'Where to send to: https, at a public address.',
      Text(2000, { format: 'http-url', examples: ['https://example.com/hooks'] })
    ),
    description: About('What it is for.', Nullable(Text(500))),
    types: About('The events it gets; `*` stands for any part. All unless said.', Types()),
    filter: About(
      'Conditions that an event must meet, all of them: by field, with the operators of lists on the record after the change, and `from`, `to` and `changed` for transitions. An update replaces it whole.',
      Filter()
    ),
    payload: About(
      'The whole event, or its head without data.',
      Enum('WebhookPayload', ['full', 'thin'] as const)
    ),
    enabled: About('Whether it gets events. Disabled, it keeps its place and goes on from there.', Bool()),
    skipOwn: About('Whether to leave out events that were caused by the credential that made it.', Bool())
  },
  readonly: {
    status: About(
      'Active; failing: retried; parked: given up until resumed; disabled.',
      Enum('WebhookStatus', statuses)
    ),
    statusReason: About(
      'Why it is parked or was disabled by Kith.',
      Nullable(Enum('WebhookStatusReason', statusReasons))
    ),
    consecutiveFailures: About('Failed attempts since the last success.', Integer(0, most)),
    failedDeliveries: About(
      'Deliveries that were given up; each holds back the later events of its record until it is resent or skipped.',
      Integer(0, most)
    ),
    lastDeliveredAt: About('When a request last succeeded, to the second.', Nullable(Instant())),
    lastFailureAt: About('When a request last failed, to the second.', Nullable(Instant())),
    lastError: About(
      'Why it is failing, parked or disabled: what went wrong last; null after a success.',
      Nullable(Text(1000, { examples: ['It answered 500.'] }))
    ),
    oldestUndeliveredAt: About(
      'When the oldest event occurred that is yet to be delivered; null where all is. Disabled or parked it tells so within seconds, of the next events of its types.',
      Nullable(Instant())
    ),
    parkedAt: About('When it was parked; null unless it is.', Nullable(Instant())),
    previousSecretExpiresAt: About(
      'Until when requests are signed with the secret before the last rotation too.',
      Nullable(Instant())
    ),
    credentialType: About(
      'What made it: it gets only what this credential may read.',
      Enum('ActorType', ['user', 'key', 'system'] as const)
    ),
    credentialId: Nullable(Id('The user or API key that made it.')),
    scopes: About('The scopes of that credential then; lost ones no longer count.', List(Text(50), 1000))
  },
  events: {
    secret_rotated: 'A webhook got a new secret.',
    parked: 'A webhook was parked: nothing could be delivered for the whole schedule.',
    resumed: 'A parked or failing webhook was told to go on.',
    disabled: 'A webhook was switched off by its receiver or for its rights.',
    delivery_failed: 'An event could not be delivered while others could.'
  },
  unsequenced: { test: 'A test event, for the one endpoint alone.' },
  filters: ['url', 'types', 'enabled', 'status', 'parkedAt', 'lastDeliveredAt', 'lastFailureAt']
})
