import type { Snapshots } from './kernel/context.js'
import type { Operation } from './kernel/operation.js'
import { metricOperations } from './metrics/index.js'
import { recordOperations, type Services } from './resources/index.js'

/** Everything Kith can do, in the order in which the contracts show it. */
export const allOperations = (services: Services & { snapshots: Snapshots }): Operation[] => [
  ...recordOperations(services),
  ...metricOperations(services.snapshots)
]

/** The same for contracts and tests of them, where nothing runs. */
export const declaredOperations = (): Operation[] =>
  allOperations({
    sign: undefined,
    sequence: async () => undefined,
    watch: { closed: true, changed: async () => undefined },
    checkUrl: () => undefined,
    snapshots: {
      longestMs: 0,
      read: () => Promise.reject(new Error('Nothing runs here')),
      close: async () => undefined
    }
  })
