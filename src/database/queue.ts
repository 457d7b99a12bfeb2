import PgBoss from 'pg-boss'

const schema = 'pgboss'
const webhooksQueue = 'webhooks'
// Long enough for a run of the worker; the job of a killed one is cleared away after it.
const expireSeconds = 60

/** Installs or updates the queue's tables, in a schema of their own; only under the lock of the migrations. */
export async function installQueue(url: string): Promise<void> {
  const boss = new PgBoss({ connectionString: url, schema, max: 1, supervise: false, schedule: false })
  boss.on('error', () => undefined)
  await boss.start()
  try {
    // At most one waiting job per key; none is retried, since what is left undone is found again.
    await boss.createQueue(webhooksQueue, {
      name: webhooksQueue,
      policy: 'short',
      retryLimit: 0,
      expireInSeconds: expireSeconds
    })
  } finally {
    await boss.stop({ graceful: false })
  }
}

export interface Job<T> {
  data: T
  /** Takes the job off the queue. */
  done(): Promise<void>
}

/** A queue of work that any worker process may take up. */
export interface Queue<T extends object> {
  /** Adds work, unless the same key is waiting already. */
  add(jobs: { key: string; data: T }[]): Promise<void>
  /** Takes up to so many jobs off it. */
  take(limit: number): Promise<Job<T>[]>
  close(): Promise<void>
}

/** Opens the queue of webhooks on connections of its own, two at most. */
export async function openQueue<T extends object>(
  url: string,
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
    add: jobs => boss.insert(jobs.map(({ key, data }) => ({ name: webhooksQueue, singletonKey: key, data }))),
    async take(limit) {
      const jobs = await boss.fetch<T>(webhooksQueue, { batchSize: limit })
      return jobs.map(({ id, data }) => ({ data, done: () => boss.deleteJob(webhooksQueue, id) }))
    },
    close: () => boss.stop({ graceful: false })
  }
}
