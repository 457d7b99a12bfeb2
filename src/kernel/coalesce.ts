import sql, { type Sql } from 'sql-template-tag'
import type { Db, Row } from './context.js'
import { Turn } from './turn.js'

const reads = new Turn<string, Map<string, Row>>()

async function readTogether(db: Db, rows: Sql, ids: readonly string[]): Promise<Map<string, Row>> {
  const found = await db.query<Row & { id: string }>(
    sql`${rows} and t.id = any(${[...new Set(ids)]}::uuid[])`
  )
  return new Map(found.map(row => [row.id, row]))
}

/**
 * One row by its id out of `rows`, a statement that selects `id` from `t` up to its last condition. What is asked of
 * equal statements with equal values in the same turn of the event loop is read at once: callers share a read only
 * where what they may see is the same to the letter. Not for transactions.
 */
export async function readOne<T extends Row>(db: Db, rows: Sql, id: string): Promise<T | undefined> {
  const key = `${rows.text}\n${JSON.stringify(rows.values)}`
  const found = await reads.ask(db, key, id, ids => readTogether(db, rows, ids))
  const row = found.get(id)
  // Each caller's own: related records are put into it.
  return row && ({ ...row } as T)
}
