import { setImmediate as endOfTurn } from 'node:timers/promises'
import type { Db } from './context.js'

interface Batch<T, R> {
  items: T[]
  result: Promise<R>
}

/**
 * Answers together what is asked within one turn of the event loop: requests that came in together are one turn, but
 * each is a callback of its own in it. Not for transactions, which have their connection to themselves.
 */
export class Turn<T, R> {
  private readonly open = new WeakMap<Db, Map<string, Batch<T, R>>>()

  /** The answer to all that is asked under the key in this turn; `run` of the first who asks gets every item. */
  ask(db: Db, key: string, item: T, run: (items: readonly T[]) => Promise<R>): Promise<R> {
    const batches = this.open.get(db) ?? new Map<string, Batch<T, R>>()
    this.open.set(db, batches)
    const known = batches.get(key)
    if (known) {
      known.items.push(item)
      return known.result
    }
    const items = [item]
    const answer = async () => {
      await endOfTurn()
      batches.delete(key)
      return run(items)
    }
    const result = answer()
    batches.set(key, { items, result })
    return result
  }
}
