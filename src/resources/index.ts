import type { Operation } from '../kernel/operation.js'
import { standardOperations } from '../kernel/standard.js'
import { activities } from './activities/resource.js'
import { apiKeyOperations } from './identity/api-keys.js'
import { campaigns } from './campaigns/resource.js'
import { companies } from './companies/resource.js'
import { contacts } from './contacts/resource.js'
import { costs } from './costs/resource.js'
import { dealOperations } from './deals/operations.js'
import { eventOperations } from './events/operations.js'
import { exchangeRates } from './exchange-rates/resource.js'
import { identityOperations, type SignToken } from './identity/sign-in.js'
import { leads } from './leads/resource.js'
import { orders } from './orders/resource.js'
import { pipelineOperations } from './pipelines/operations.js'
import { products } from './products/resource.js'
import { touches } from './touches/resource.js'
import { userOperations } from './identity/users.js'
import { webhookOperations } from './webhooks/operations.js'
import type { CheckUrl } from './webhooks/writer.js'
import { workspaceOperations } from './identity/workspaces.js'

/** What some operations need from the process that runs them. */
export interface Services {
  sign: SignToken
  sequence: (workspaceId: string) => Promise<void>
  checkUrl: CheckUrl
}

/** Every operation on records and identities, in the order in which the contracts show them. */
export const recordOperations = ({ sign, sequence, checkUrl }: Services): Operation[] => [
  ...identityOperations(sign),
  ...workspaceOperations,
  ...userOperations,
  ...apiKeyOperations,
  ...standardOperations(companies),
  ...standardOperations(contacts),
  ...pipelineOperations,
  ...dealOperations,
  ...standardOperations(leads),
  ...standardOperations(activities),
  ...standardOperations(products),
  ...standardOperations(orders),
  ...standardOperations(campaigns),
  ...standardOperations(costs),
  ...standardOperations(touches),
  ...standardOperations(exchangeRates),
  ...eventOperations(sequence),
  ...webhookOperations(checkUrl)
]
