import type { Database } from '../kernel/context.js'
import { eventChannel, sequenceEvents, type Watch } from '../kernel/events.js'

/** Tells of a channel's messages until it is closed. */
export interface Listening {
  listening(): boolean
  close(): Promise<void>
}

export interface WatchOptions {
  database: Database
  listen(channel: string, onMessage: (workspaceId: string) => void): Listening
}

interface Waiting {
  wake: Set<() => void>
  timer: NodeJS.Timeout
}

// Committed events are given their sequence this often while somebody waits for them, whoever wrote them.
const sequenceEveryMs = 100

/**
 * Wakes the readers of a workspace when it has new events, from whichever process they come. Each process has one
 * connection that listens, and gives events their sequence while readers wait: once per workspace, not per reader.
 */
export function watchEvents({ database, listen }: WatchOptions): Watch & { close(): Promise<void> } {
  const workspaces = new Map<string, Waiting>()
  let listening: Listening | undefined
  let closed = false

  const wakeAll = (workspaceId: string) => {
    for (const wake of workspaces.get(workspaceId)?.wake ?? []) wake()
  }
  const wakeEverybody = () => {
    for (const id of [...workspaces.keys()]) wakeAll(id)
  }

  function waitingIn(workspaceId: string): Waiting {
    const known = workspaces.get(workspaceId)
    if (known) return known
    const tick = async () => {
      const given = await sequenceEvents(database, workspaceId).catch(() => 0)
      const waiting = workspaces.get(workspaceId)
      if (!waiting) return
      if (given > 0 || listening?.listening() !== true) wakeAll(workspaceId)
      waiting.timer = setTimeout(() => void tick(), sequenceEveryMs)
    }
    const waiting = { wake: new Set<() => void>(), timer: setTimeout(() => void tick(), sequenceEveryMs) }
    workspaces.set(workspaceId, waiting)
    return waiting
  }

  function leave(workspaceId: string, wake: () => void): void {
    const waiting = workspaces.get(workspaceId)
    waiting?.wake.delete(wake)
    if (waiting?.wake.size !== 0) return
    clearTimeout(waiting.timer)
    workspaces.delete(workspaceId)
  }

  return {
    get closed() {
      return closed
    },
    async changed(workspaceId, ms, signal) {
      if (closed || signal?.aborted) return
      listening ??= listen(eventChannel, id => (id === '' ? wakeEverybody() : wakeAll(id)))
      const waiting = waitingIn(workspaceId)
      await new Promise<void>(resolve => {
        const wake = () => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', wake)
          leave(workspaceId, wake)
          resolve()
        }
        const timer = setTimeout(wake, ms)
        signal?.addEventListener('abort', wake)
        waiting.wake.add(wake)
      })
    },
    async close() {
      closed = true
      wakeEverybody()
      await listening?.close()
    }
  }
}
