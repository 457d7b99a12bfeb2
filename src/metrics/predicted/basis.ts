import type { Resource } from '../../kernel/resource.js'
import { orders } from '../../resources/orders/resource.js'
import { subscriptions } from '../../resources/subscriptions/resource.js'
import type { Frame } from '../period.js'

/** What lifetime value is found from. */
export const bases = ['orders', 'subscriptions'] as const
export type Basis = (typeof bases)[number]

/** The records of a basis, and the zone whose days its facts are of: subscriptions have dates, which are the workspace's. */
export function basisOf(
  basis: Basis | undefined,
  { timeZone, workspaceZone }: Frame
): { resource: Resource; zone: string } {
  return basis === 'subscriptions'
    ? { resource: subscriptions, zone: workspaceZone }
    : { resource: orders, zone: timeZone }
}
