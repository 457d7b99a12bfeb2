import type { Logger } from 'pino'
import type { Database } from '../kernel/context.js'
import { forgetOldEvents, sequenceEvents, workspacesToSequence } from '../kernel/events.js'
import { forgetOldAnswers } from '../kernel/idempotency.js'
import { neededFrom } from './webhooks/needed.js'

const sequenceEveryMs = 200
const forgetEveryMs = 600_000

/** A task that is run again and again. */
export interface Repeated {
  /** Has it run soon. */
  wake(): void
  stop(): Promise<void>
}

// However often it is woken, other work gets its turn.
const soonestMs = 50

/** Runs a task again and again, never twice at once; a failure is told and tried again later. */
export function every(ms: number, logger: Logger, task: () => Promise<void>): Repeated {
  let running: Promise<void> | undefined
  let last = Promise.resolve()
  let woken = false
  let stopped = false
  const tick = () => {
    woken = false
    running = task().catch((error: unknown) => logger.warn({ err: error }, 'background work failed'))
    last = running
    void running.then(() => {
      running = undefined
      if (!stopped) timer = setTimeout(tick, woken ? soonestMs : ms)
    })
  }
  let timer = setTimeout(tick, ms)
  return {
    wake() {
      if (stopped || woken) return
      woken = true
      if (running) return
      clearTimeout(timer)
      timer = setTimeout(tick, soonestMs)
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await last
    }
  }
}

/** The work of a worker: gives events their sequence, forgets old answers and events. Answers how to stop it. */
export function startKeeper(
  database: Database,
  logger: Logger,
  eventRetentionDays: number
): () => Promise<void> {
  const tasks = [
    every(sequenceEveryMs, logger, async () => {
      for (const id of await workspacesToSequence(database)) await sequenceEvents(database, id)
    }),
    every(forgetEveryMs, logger, () => forgetOldAnswers(database)),
    every(forgetEveryMs, logger, () => forgetOldEvents(database, eventRetentionDays, neededFrom))
  ]
  return async () => {
    await Promise.all(tasks.map(task => task.stop()))
  }
}
