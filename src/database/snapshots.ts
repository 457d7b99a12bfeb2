import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import type { Db, Row, Snapshots, Statement } from '../kernel/context.js'
import { KithError } from '../kernel/errors.js'
import { translate } from './errors.js'

const againMs = 200

type Run = <T extends Row>(client: pg.ClientBase, statement: Statement) => Promise<T[]>

const begin = 'begin isolation level repeatable read read only; select pg_backend_pid() as pid'

/** Reads with statements that `cancel` ends, on the connections of a pool. */
export function snapshotsOf(
  pool: pg.Pool,
  run: Run,
  cancel: (pid: number) => Promise<unknown>,
  longestMs: number
): Snapshots {
  let ended: Promise<void> | undefined

  // A cancellation that comes between two statements is lost, so it is sent again until the work has ended.
  async function end(pid: number, work: { done: boolean }): Promise<void> {
    while (!work.done) {
      await cancel(pid).catch(() => undefined)
      await sleep(againMs)
    }
  }

  async function onConnection<T>(
    client: pg.PoolClient,
    read: (db: Db) => Promise<T>,
    stop: AbortSignal
  ): Promise<T> {
    // Two statements sent as one have two results, which the types of pg do not know.
    const results = (await client.query(begin)) as unknown as [unknown, pg.QueryResult<{ pid: number }>]
    const { pid } = results[1].rows[0]!
    const work = { done: false }
    const onStop = () => void end(pid, work)
    stop.addEventListener('abort', onStop, { once: true })
    try {
      return await read({
        query(statement) {
          if (stop.aborted) throw new KithError('unavailable')
          return run(client, statement)
        }
      })
    } finally {
      work.done = true
      stop.removeEventListener('abort', onStop)
    }
  }

  return {
    longestMs,
    async read(work, stop) {
      const client = await pool.connect().catch((error: unknown) => {
        throw translate(error)
      })
      let broken = false
      try {
        const result = await onConnection(client, work, stop)
        await client.query('rollback')
        return result
      } catch (error) {
        const known = translate(error)
        // A server that is away would not answer a rollback either.
        broken = known instanceof KithError && known.code === 'unavailable'
        if (!broken) await client.query('rollback').catch(() => (broken = true))
        throw known
      } finally {
        client.release(broken)
      }
    },
    close: () => (ended ??= pool.end())
  }
}
