import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'

const retryMs = 1000

/** Messages of other processes through PostgreSQL's LISTEN and NOTIFY. */
export interface Listener {
  /** Whether messages come at this moment; while not, nobody may rely on them. */
  listening(): boolean
  close(): Promise<void>
}

/**
 * Listens on a connection of its own, which is made again whenever it breaks. Each time it is made an empty message
 * says that there may have been others.
 */
export function listen(
  url: string,
  channel: string,
  onMessage: (payload: string) => void,
  onError: (error: Error) => void
): Listener {
  const stop = new AbortController()
  let current: pg.Client | undefined

  async function once(): Promise<void> {
    const client = new pg.Client({
      connectionString: url,
      keepAlive: true,
      connectionTimeoutMillis: 5000,
      application_name: 'kith listener'
    })
    const ended = new Promise<void>((resolve, reject) => {
      client.on('error', reject)
      client.on('end', resolve)
    })
    ended.catch(() => undefined)
    try {
      await client.connect()
      client.on('notification', message => onMessage(message.payload ?? ''))
      await client.query(`listen ${client.escapeIdentifier(channel)}`)
      current = client
      onMessage('')
      if (stop.signal.aborted) await client.end()
      await ended
    } finally {
      current = undefined
      await client.end().catch(() => undefined)
    }
  }

  const running = (async () => {
    while (!stop.signal.aborted) {
      await once().catch(onError)
      await sleep(retryMs, undefined, { signal: stop.signal }).catch(() => undefined)
    }
  })()

  return {
    listening: () => current !== undefined,
    async close() {
      stop.abort()
      await current?.end().catch(() => undefined)
      await running
    }
  }
}
