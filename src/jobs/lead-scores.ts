import type { Logger } from 'pino'
import type { OpenDatabase } from '../database/client.js'
import { openQueue, scoresQueue, type Job } from '../database/queue.js'
import { rescore, workspacesWithRules } from '../metrics/lead-score/rescore.js'
import { systemContext } from '../resources/identity/create.js'
import { every } from './keeper.js'

const lookEveryMs = 60_000
const daySeconds = 86_400

export interface ScoringWork {
  database: OpenDatabase
  /** The database again: the queue has connections of its own. */
  url: string
  logger: Logger
}

interface Workspace {
  workspaceId: string
}

/**
 * Keeps scores by rules fresh, since points fade: each workspace with rules has a job on the queue that all workers share,
 * which puts that of the next day there before it scores. Answers how to stop: what is left of a workspace is done by
 * another worker, from its beginning, where nothing changes any more.
 */
export async function startScoring({ database, url, logger }: ScoringWork): Promise<() => Promise<void>> {
  const queue = await openQueue<Workspace>(url, scoresQueue, error =>
    logger.warn({ err: error }, 'the queue of lead scores failed')
  )
  const stop = new AbortController()
  const jobOf = (workspaceId: string) => ({ key: workspaceId, data: { workspaceId } })

  async function score({ data: { workspaceId } }: Job<Workspace>): Promise<void> {
    await queue.add([{ ...jobOf(workspaceId), afterSeconds: daySeconds }])
    const changed = await rescore(systemContext(database, workspaceId), stop.signal)
    if (changed) logger.info({ workspace: workspaceId, leads: changed }, 'leads were scored')
  }

  async function look(): Promise<void> {
    await queue.add((await workspacesWithRules(database)).map(jobOf))
    for (;;) {
      const [job] = stop.signal.aborted ? [] : await queue.take(1)
      if (!job) return
      try {
        await score(job)
        await job.done()
      } catch (error) {
        await job.failed()
        if (!stop.signal.aborted) logger.warn({ err: error, ...job.data }, 'leads were not scored')
      }
    }
  }

  const looking = every(lookEveryMs, logger, look)
  looking.wake()
  return async () => {
    stop.abort()
    await looking.stop()
    await queue.close()
  }
}
