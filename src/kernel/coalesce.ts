import sql, { type Sql } from 'sql-template-tag'
import { inTransaction, type Db, type Row } from './context.js'
import { Turn } from './turn.js'

type Found = ReadonlyMap<string, Row>

const reads = new Turn<readonly string[], Found>()

async function read(db: Db, rows: Sql, ids: readonly string[]): Promise<Found> {
  // Behind a subquery PostgreSQL does not see how many there are, so it does not plan anew for each number of them.
  const found = await db.query<Row & { id: string }>(
    sql`${rows} and t.id = any(array(select unnest(${ids}::uuid[])))`
  )
  return new Map(found.map(row => [row.id, row]))
}

/**
 * Rows by their ids out of `rows`, a statement that selects `id` from `t` up to its last condition. What is asked of
 * equal statements with equal values in the same turn of the event loop is read at once: callers share a read only
 * where what they may see is the same to the letter. A transaction has its connection to itself and shares nothing.
 */
export async function readByIds<T extends Row & { id: string }>(
  db: Db,
  rows: Sql,
  ids: readonly string[]
): Promise<Map<string, T>> {
  if (inTransaction(db)) return (await read(db, rows, ids)) as Map<string, T>
  const key = `${rows.text}\n${JSON.stringify(rows.values)}`
  const found = await reads.ask(db, key, ids, all => read(db, rows, [...new Set(all.flat())]))
  const own = new Map<string, T>()
  for (const id of ids) {
    const row = found.get(id.toLowerCase()) as T | undefined
    // Each caller's own: related records are put into it.
    if (row) own.set(row.id, { ...row })
  }
  return own
}
