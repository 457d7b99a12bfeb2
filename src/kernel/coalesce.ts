import { setImmediate as endOfTurn } from 'node:timers/promises'
import sql, { type Sql } from 'sql-template-tag'
import type { Db, Row } from './context.js'

type Found<T> = Promise<Map<string, T>>
interface Batch<T> {
  ids: Set<string>
  found: Found<T>
}

const open = new WeakMap<Db, Map<string, Batch<Row>>>()

// Requests that came in together are one turn of the event loop, but each is a callback of its own in it.
async function readTogether(db: Db, rows: Sql, ids: Set<string>, close: () => void): Found<Row> {
  await endOfTurn()
  close()
  const found = await db.query<Row & { id: string }>(sql`${rows} and t.id = any(${[...ids]}::uuid[])`)
  return new Map(found.map(row => [row.id, row]))
}

/**
 * One row by its id out of `rows`, a statement that selects `id` from `t` up to its last condition. What is asked of
 * equal statements with equal values in the same turn of the event loop is read at once: callers share a read only
 * where what they may see is the same to the letter. Not for transactions, which have their connection to themselves.
 */
export async function readOne<T extends Row>(db: Db, rows: Sql, id: string): Promise<T | undefined> {
  const batches = open.get(db) ?? new Map<string, Batch<Row>>()
  open.set(db, batches)
  const key = `${rows.text}\n${JSON.stringify(rows.values)}`
  let batch = batches.get(key)
  if (!batch) {
    const ids = new Set<string>()
    batch = { ids, found: readTogether(db, rows, ids, () => batches.delete(key)) }
    batches.set(key, batch)
  }
  batch.ids.add(id)
  const row = (await batch.found).get(id)
  // Each caller's own: related records are put into it.
  return row && ({ ...row } as T)
}
