import { setTimeout as sleep } from 'node:timers/promises'
import { newId } from '../../src/kernel/write.js'
import { feed, times, type Send, type Sent } from './http.js'

/** Writers that keep going whatever happens, and what they were told. */
export interface Load {
  /** Contacts by id, with the last version and mark that the server acknowledged. */
  acknowledged: Map<string, { version: number; mark: string }>
  /** Answers that are no success. */
  refused: Sent[]
  /** Requests without an answer. */
  broken: unknown[]
  stop(): Promise<void>
}

/** Starts eight writers that create contacts and change them. */
export function startLoad(send: Send): Load {
  const load: Omit<Load, 'stop'> = { acknowledged: new Map(), refused: [], broken: [] }
  let stopped = false
  const write = async (method: string, path: string): Promise<string | undefined> => {
    const mark = newId()
    try {
      const answer = await send(method, path, { jobTitle: mark })
      if (answer.status < 300) {
        load.acknowledged.set(answer.body.id as string, { version: answer.body.version as number, mark })
        return answer.body.id as string
      }
      load.refused.push(answer)
    } catch (error) {
      load.broken.push(error)
    }
    await sleep(20)
    return undefined
  }
  const done = times(8, async () => {
    while (!stopped) {
      const id = await write('POST', '/v1/contacts')
      if (id !== undefined && !stopped) await write('PATCH', `/v1/contacts/${id}`)
    }
  })
  const stop = async () => {
    stopped = true
    await done
  }
  return { ...load, stop }
}

/** What of the acknowledged writes is not there, or there without its event. */
export async function lost(send: Send, { acknowledged }: Load): Promise<string[]> {
  const events = await feed(send, '&resource=contact')
  const marks = new Set(events.map(e => `${e.recordId} ${e.data.version} ${e.data.jobTitle}`))
  const versions = new Map<string, number>()
  for (let after = ''; ;) {
    const { body } = await send('GET', `/v1/contacts?limit=200${after}`)
    for (const contact of body.data as { id: string; version: number }[])
      versions.set(contact.id, contact.version)
    if (!body.page.hasMore) break
    after = `&after=${body.page.nextCursor}`
  }
  return [...acknowledged].flatMap(([id, { version, mark }]) => [
    ...((versions.get(id) ?? 0) >= version ? [] : [`record ${id}`]),
    ...(marks.has(`${id} ${version} ${mark}`) ? [] : [`event of ${id}`])
  ])
}
