import PgBoss from 'pg-boss'

const schema = 'pgboss'
/** The queue of endpoints that have something to deliver. */
export const webhooksQueue = 'webhooks'
/** The queue of workspaces whose leads are to be scored. */
export const scoresQueue = 'lead-scores'

// At most one waiting job per key. A job expires after more than a run of the worker takes, so that of a killed one is
// cleared away, or tried again where it would not be found again soon.
const queues = {
  [webhooksQueue]: { retryLimit: 0, expireInSeconds: 60 },
  [scoresQueue]: { retryLimit: 3, retryDelay: 60, expireInSeconds: 3600 }
}

/** Installs or updates the queue's tables, in a schema of their own; only under the lock of the migrations. */
export async function installQueue(url: string): Promise<void> {
  const boss = new PgBoss({ connectionString: url, schema, max: 1, supervise: false, schedule: false })
  boss.on('error', () => undefined)
  await boss.start()
  try {
    for (const [name, options] of Object.entries(queues))
      await boss.createQueue(name, { name, policy: 'short', ...options })
  } finally {
    await boss.stop({ graceful: false })
  }
}

export interface Job<T> {
  data: T
  /** Takes the job off the queue. */
  done(): Promise<void>
  /** Puts it back, as often as the queue allows. */
  failed(): Promise<void>
}

/** A queue of work that any worker process may take up. */
export interface Queue<T extends object> {
  /** Adds work, unless the same key is waiting already; it waits for so long. */
  add(jobs: { key: string; data: T; afterSeconds?: number }[]): Promise<void>
  /** Takes up to so many jobs off it. */
  take(limit: number): Promise<Job<T>[]>
  close(): Promise<void>
}

/** Opens a queue on connections of its own, two at most. */
export async function openQueue<T extends object>(
  url: string,
  name: keyof typeof queues,
  onError: (error: Error) => void
): Promise<Queue<T>> {
  const boss = new PgBoss({
    connectionString: url,
    schema,
    max: 2,
    application_name: 'kith queue',
    migrate: false,
    schedule: false,
    maintenanceIntervalSeconds: 60,
    archiveCompletedAfterSeconds: 60,
    deleteAfterHours: 1
  })
  boss.on('error', onError)
  await boss.start()
  return {
    add: jobs =>
      boss.insert(
        jobs.map(({ key, data, afterSeconds = 0 }) => ({
          name,
          singletonKey: key,
          data,
          startAfter: String(afterSeconds)
        }))
      ),
    async take(limit) {
      const jobs = await boss.fetch<T>(name, { batchSize: limit })
      return jobs.map(({ id, data }) => ({
        data,
        done: () => boss.deleteJob(name, id),
        failed: () => boss.fail(name, id)
      }))
    },
    close: () => boss.stop({ graceful: false })
  }
}
