import type { Watch } from '../kernel/events.js'
import type { Operation } from '../kernel/operation.js'
import { standardOperations } from '../kernel/standard.js'
import { activityOperations } from './activities/operations.js'
import { apiKeyOperations } from './identity/api-keys.js'
import { campaigns } from './campaigns/resource.js'
import { companies } from './companies/resource.js'
import { companyWriter } from './companies/writer.js'
import { contacts } from './contacts/resource.js'
import { costs } from './costs/resource.js'
import { dealOperations } from './deals/operations.js'
import { eventOperations } from './events/operations.js'
import type { Sequencer } from './events/read.js'
import { exchangeRates } from './exchange-rates/resource.js'
import { exchangeRateWriter } from './exchange-rates/writer.js'
import { identityOperations, type SignToken } from './identity/sign-in.js'
import { leadOperations } from './leads/operations.js'
import { lifecycleOperations } from './lifecycle/operations.js'
import { orders } from './orders/resource.js'
import { roleOperations } from './identity/roles.js'
import { teamOperations } from './identity/teams.js'
import { scoringRuleOperations } from './scoring-rules/operations.js'
import { searchOperations } from './search/operations.js'
import { pipelineOperations } from './pipelines/operations.js'
import { products } from './products/resource.js'
import { subscriptions } from './subscriptions/resource.js'
import { timelineOperations } from './timeline/operations.js'
import { touches } from './touches/resource.js'
import { touchWriter } from './touches/writer.js'
import { userOperations } from './identity/users.js'
import { webhookOperations } from './webhooks/operations.js'
import type { CheckUrl } from './webhooks/writer.js'
import { workspaceOperations } from './identity/workspaces.js'

/** What some operations need from the process that runs them. */
export interface Services {
  sign: SignToken
  sequence: Sequencer
  watch: Watch
  checkUrl: CheckUrl
}

/** Every operation on records and identities, in the order in which the contracts show them. */
export const recordOperations = ({ sign, sequence, watch, checkUrl }: Services): Operation[] => [
  ...identityOperations(sign),
  ...workspaceOperations,
  ...userOperations,
  ...teamOperations,
  ...roleOperations,
  ...apiKeyOperations,
  ...lifecycleOperations(companies, companyWriter),
  ...lifecycleOperations(contacts),
  ...pipelineOperations,
  ...dealOperations,
  ...leadOperations,
  ...activityOperations,
  ...timelineOperations,
  ...standardOperations(products),
  ...standardOperations(orders),
  ...standardOperations(subscriptions),
  ...standardOperations(campaigns),
  ...standardOperations(costs),
  ...standardOperations(touches, touchWriter),
  ...standardOperations(exchangeRates, exchangeRateWriter),
  ...scoringRuleOperations,
  ...searchOperations(),
  ...eventOperations(sequence, watch),
  ...webhookOperations(checkUrl)
]
