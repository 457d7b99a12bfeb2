import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import type { WebhookConfig } from '../../config.js'
import { openQueue, webhooksQueue } from '../../database/queue.js'
import type { OpenDatabase } from '../../database/client.js'
import { eventChannel, sequenceEvents, workspacesToSequence } from '../../kernel/events.js'
import { openEgress } from '../egress.js'
import { every } from '../keeper.js'
import { forgetOldDeliveries } from './log.js'
import { dueEndpoints } from './lease.js'
import { pump } from './pump.js'
import type { Delivering } from './turn.js'
import { showWaiting } from './waiting.js'

// Retries and the end of leases; of new events it is told.
const lookEveryMs = 500
const afterFailureMs = 1000
const forgetEveryMs = 600_000
const showEveryMs = 5000
const endpointsAtOnce = 32

export interface WebhookWork {
  database: OpenDatabase
  /** The database again: the queue has connections of its own. */
  url: string
  settings: WebhookConfig
  logger: Logger
}

/**
 * Delivers webhooks: finds endpoints with something to do, puts them on the queue that all workers share, and works
 * it off. Answers how to stop: what is under way is finished, the rest left to others.
 */
export async function startWebhooks({
  database,
  url,
  settings,
  logger
}: WebhookWork): Promise<() => Promise<void>> {
  const queue = await openQueue<{ workspaceId: string; webhookId: string }>(url, webhooksQueue, error =>
    logger.warn({ err: error }, 'the queue of webhooks failed')
  )
  const stop = new AbortController()
  const delivering: Delivering = {
    database,
    egress: openEgress(settings),
    settings,
    logger,
    stopping: stop.signal
  }
  const running = new Set<Promise<void>>()

  async function look(): Promise<void> {
    for (const id of await workspacesToSequence(database)) await sequenceEvents(database, id)
    const due = await dueEndpoints(database)
    if (due.length > 0) await queue.add(due.map(data => ({ key: data.webhookId, data })))
    const free = endpointsAtOnce - running.size
    if (free <= 0 || stop.signal.aborted) return
    for (const job of await queue.take(free)) {
      const work = pump(delivering, job.data)
        .then(job.done)
        .catch((error: unknown) =>
          logger.warn({ err: error, webhook: job.data.webhookId }, 'a webhook was left')
        )
        .finally(() => running.delete(work))
      running.add(work)
    }
  }

  // While the database is away it is asked, and told about, more seldom.
  const patiently = () =>
    look().catch(async (error: unknown) => {
      await sleep(afterFailureMs, undefined, { signal: stop.signal }).catch(() => undefined)
      throw error
    })

  const looking = every(lookEveryMs, logger, patiently)
  const forgetting = every(forgetEveryMs, logger, () => forgetOldDeliveries(database, settings.logDays))
  const showing = every(showEveryMs, logger, () => showWaiting(database))
  const listener = database.listen(eventChannel, looking.wake)
  return async () => {
    stop.abort()
    await Promise.all([listener.close(), looking.stop(), forgetting.stop(), showing.stop()])
    await Promise.all(running)
    await queue.close()
    await delivering.egress.close()
  }
}
