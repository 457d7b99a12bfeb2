import { fileURLToPath } from 'node:url'
import { drizzle } from 'drizzle-orm/node-postgres'
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator'
import { readMigrationFiles } from 'drizzle-orm/migrator'
import pg from 'pg'
import sql from 'sql-template-tag'
import type { Db } from '../kernel/context.js'
import { KithError } from '../kernel/errors.js'
import { installQueue } from './queue.js'

const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url))
// Any number that all processes agree on.
const lock = 7_318_004

const expected = readMigrationFiles({ migrationsFolder }).length

/** Rejects unless the database answers and has every migration that this program brings. */
export async function checkMigrated(db: Db): Promise<void> {
  const [row] = await db.query<{ n: number }>(
    sql`select count(*)::int as n from drizzle.__drizzle_migrations`
  )
  if (row!.n < expected) throw new KithError('unavailable', 'The database lacks migrations of this version.')
}

async function checkEncoding(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ encoding: string }>(
    `select pg_encoding_to_char(encoding) as encoding from pg_database where datname = current_database()`
  )
  if (rows[0]!.encoding !== 'UTF8') {
    throw new Error(`The database must be encoded in UTF8, it is ${rows[0]!.encoding}.`)
  }
}

async function checkTrigrams(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ found: boolean }>(
    `select cardinality(show_trgm('রহিম')) > 0 as found`
  )
  if (!rows[0]!.found) {
    throw new Error('The database finds no words in Bengali: create it with a UTF-8 lc_ctype, not with C.')
  }
}

/**
 * Brings the schema up to date, under a lock, so that several processes may start at once. Refuses a database whose
 * encoding or character type would lose text.
 */
export async function migrate(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10000 })
  client.on('error', () => undefined)
  await client.connect()
  try {
    await checkEncoding(client)
    await client.query('select pg_advisory_lock($1)', [lock])
    await applyMigrations(drizzle(client), { migrationsFolder })
    await installQueue(url)
    await checkTrigrams(client)
  } finally {
    await client.end()
  }
}
