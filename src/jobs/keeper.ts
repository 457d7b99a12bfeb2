import type { Logger } from 'pino'
import type { Database } from '../kernel/context.js'
import { forgetOldEvents, sequenceEvents, workspacesToSequence } from '../kernel/events.js'
import { forgetOldAnswers } from '../kernel/idempotency.js'
import { neededFrom } from './webhooks/needed.js'

const sequenceEveryMs = 200
const forgetEveryMs = 600_000

/** Runs a task again and again, never twice at once; a failure is told and tried again later. Answers how to stop it. */
export function every(ms: number, logger: Logger, task: () => Promise<void>): () => Promise<void> {
  let running = Promise.resolve()
  let stopped = false
  const tick = () => {
    running = task().catch((error: unknown) => logger.warn({ err: error }, 'background work failed'))
    void running.then(() => {
      if (!stopped) timer = setTimeout(tick, ms)
    })
  }
  let timer = setTimeout(tick, ms)
  return async () => {
    stopped = true
    clearTimeout(timer)
    await running
  }
}

/** The work of a worker: gives events their sequence, forgets old answers and events. Answers how to stop it. */
export function startKeeper(
  database: Database,
  logger: Logger,
  eventRetentionDays: number
): () => Promise<void> {
  const stops = [
    every(sequenceEveryMs, logger, async () => {
      for (const id of await workspacesToSequence(database)) await sequenceEvents(database, id)
    }),
    every(forgetEveryMs, logger, () => forgetOldAnswers(database)),
    every(forgetEveryMs, logger, () => forgetOldEvents(database, eventRetentionDays, neededFrom))
  ]
  return async () => {
    await Promise.all(stops.map(stop => stop()))
  }
}
