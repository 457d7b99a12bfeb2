import type { Operation } from './kernel/operation.js'
import { metricOperations } from './metrics/index.js'
import { recordOperations, type Services } from './resources/index.js'

/** Everything Kith can do, in the order in which the contracts show it. */
export const allOperations = (services: Services): Operation[] => [
  ...recordOperations(services),
  ...metricOperations
]
