import type { Logger } from 'pino'
import type { WebhookConfig } from '../../config.js'
import type { Database } from '../../kernel/context.js'
import { KithError } from '../../kernel/errors.js'
import type { Egress } from '../egress.js'
import { batcher } from './batcher.js'
import { broke, type Circuit } from './circuit.js'
import { leaseMs, renewLease, type Endpoint, type Lease } from './lease.js'
import type { Due } from './portions.js'
import { storeOutcomes } from './given-up.js'
import { show, type Result } from './store.js'

const turnMs = 15_000
const renewEveryMs = 2500
const showEveryMs = 1000
const ownFault = 'Kith failed at this webhook by itself, and tries again later.'
// How soon new events are looked for while slow requests are under way.
const lookEveryMs = 200

export interface Delivering {
  database: Database
  egress: Egress
  settings: WebhookConfig
  logger: Logger
  /** Aborted when the process is to end. */
  stopping: AbortSignal
}

/** One process's turn with an endpoint: short, so that many endpoints share the workers. */
export interface Turn extends Delivering {
  lease: Lease
  circuit: Circuit
  /** Records of which a delivery waits for its next attempt. */
  failing: Set<string>
  /** Records whose deliveries are in hand. */
  busy: Set<string>
  /** Deliveries in hand that nobody has begun, record by record. */
  ready: Due[][]
  underWay: Set<Promise<void>>
  /** Requests that wait for their answer. */
  sending: number
  endpoint: Endpoint | undefined
  /** Since when that is known. */
  endpointAt: number
  /** What the endpoint's credential may read by now, and since when that is known. */
  readable: string[]
  readableAt: number
  /** Whether no delivery was left in the database when last asked. */
  drained: boolean
  /** Whether it may go on: it ends by time, by order, when the endpoint is another's, or gets nothing any more. */
  goesOn(): boolean
  /** Resolves when something was done, or it is time to look for new events. */
  changed(): Promise<void>
  /** Says that something was done. */
  tell(): void
  /** Ends the turn early; what is under way is finished. */
  end(): void
  /** Whether it was ended early, or the endpoint is another's. */
  ended(): boolean
  /** Ends the turn early because Kith itself failed at it. */
  fail(error: unknown): void
  /** Whether it was ended so. */
  broken(): boolean
  store(result: Result): Promise<void>
  /** Lets go of timers and shows how the endpoint fares. */
  close(): Promise<void>
}

export function openTurn(
  delivering: Delivering,
  lease: Lease,
  { circuit, failing }: { circuit: Circuit; failing: string[] }
): Turn {
  const { database, logger, settings, stopping } = delivering
  const began = Date.now()
  let heldAt = began
  let shownAt = 0
  let over = false
  let news = false
  let wake: () => void = () => undefined
  let deliveredAt: string | null = null
  let failedAt: string | null = null
  let lastError: string | null = null
  let broken = false

  const held = (still: boolean, since: number) => {
    if (still) heldAt = since
    else over = true
  }
  const renew = () => {
    const now = Date.now()
    renewLease(database, lease).then(
      still => held(still, now),
      (error: unknown) => logger.warn({ err: error }, 'a lease was not renewed')
    )
  }
  const timer = setInterval(renew, renewEveryMs)

  const showNow = async () => {
    shownAt = Date.now()
    const { failures } = circuit
    await show(database, lease, { failures, deliveredAt, failedAt, error: lastError, broken })
  }

  const store = batcher(async (results: Result[]) => {
    const now = Date.now()
    held(await storeOutcomes(database, lease, circuit, results), now)
    for (const { error, at } of results) {
      if (error === null) deliveredAt = at
      else [failedAt, lastError] = [at, error]
    }
    if (!over && now - shownAt > showEveryMs) await showNow()
  })

  return {
    ...delivering,
    lease,
    circuit,
    failing: new Set(failing),
    busy: new Set(),
    ready: [],
    underWay: new Set(),
    sending: 0,
    endpoint: undefined,
    endpointAt: 0,
    readable: [],
    readableAt: 0,
    drained: true,
    goesOn() {
      const now = Date.now()
      const paused = circuit.holdUntil !== null && circuit.holdUntil > now
      return !over && !paused && !stopping.aborted && now - began < turnMs && now - heldAt < leaseMs
    },
    async changed() {
      if (!news) {
        await new Promise<void>(resolve => {
          const look = setTimeout(resolve, lookEveryMs)
          wake = () => {
            clearTimeout(look)
            resolve()
          }
        })
      }
      news = false
    },
    tell() {
      news = true
      wake()
    },
    end: () => void (over = true),
    ended: () => over,
    fail(error) {
      logger.warn({ err: error, webhook: lease.webhookId }, 'a turn with a webhook broke')
      if (broken) return
      over = true
      broken = true
      lastError = error instanceof KithError && error.status < 500 ? error.message : ownFault
      broke(circuit, Date.now(), settings.retryScale)
    },
    broken: () => broken,
    store,
    async close() {
      clearInterval(timer)
      await showNow()
    }
  }
}
