import { createHash } from 'node:crypto'
import pg from 'pg'
import type { Sql } from 'sql-template-tag'
import type { Database, Row, Transaction } from '../kernel/context.js'
import { KithError } from '../kernel/errors.js'
import { translate } from './errors.js'

export interface DatabaseOptions {
  url: string
  maxConnections: number
  statementTimeoutMs: number
  /** Told of connections that break while nobody uses them. */
  onError: (error: Error) => void
}

export interface OpenDatabase extends Database {
  /** Rejects unless the server answers. */
  ping(): Promise<void>
  /** The pool as it stands; `waiting` are statements that wait for a connection. */
  connections(): { total: number; idle: number; waiting: number }
  close(): Promise<void>
}

/** `2026-01-31 09:30:00.5+00` as RFC 3339 with exactly milliseconds; the session's time zone is UTC. */
function instant(text: string): string {
  const fraction = text.length > 22 ? text.slice(20, text.length - 3) : ''
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, '0')}Z`
}

const emptyObject = Object.freeze({})
const emptyList = Object.freeze([])

function json(text: string): unknown {
  if (text === '{}') return emptyObject
  return text === '[]' ? emptyList : JSON.parse(text)
}

const same = (text: string) => text
// Numbers beyond a double, instants and days stay text: nothing is parsed only to be printed again.
const parsers = new Map<number, (text: string) => unknown>([
  [20, same],
  [114, json],
  [1082, same],
  [1184, instant],
  [1700, same],
  [3802, json]
])

const types = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    parsers.get(oid) ?? (pg.types.getTypeParser(oid, format ?? 'text') as (text: string) => unknown)
}

const answerTimeMs = 2000

const namedShapes = 300
const names = new Map<string, string | undefined>()

// A statement is prepared once per connection while its shape is among the first ones of the process; the others, made
// from unusual filters, stay unnamed so that they do not fill the server's memory.
function nameOf(text: string): string | undefined {
  const known = names.get(text)
  if (known !== undefined || names.size >= namedShapes) return known
  const name = createHash('sha1').update(text).digest('base64url')
  names.set(text, name)
  return name
}

async function run<T extends Row>(client: pg.ClientBase, statement: Sql): Promise<T[]> {
  const text = statement.text
  const name = nameOf(text)
  try {
    const result = await client.query<T>({ ...(name && { name }), text, values: statement.values, types })
    return result.rows
  } catch (error) {
    throw translate(error)
  }
}

const isLost = (error: unknown) => error instanceof KithError && error.code === 'unavailable'

// The pool's own query gives a connection up after any error, also after one that only says no: a conflict would
// cost the next request a new connection.
async function runPooled<T extends Row>(pool: pg.Pool, statement: Sql): Promise<T[]> {
  const client = await pool.connect().catch((error: unknown) => {
    throw translate(error)
  })
  let lost = false
  try {
    return await run<T>(client, statement)
  } catch (error) {
    lost = isLost(error)
    throw error
  } finally {
    client.release(lost)
  }
}

function handle(client: pg.PoolClient): Transaction {
  let depth = 0
  return {
    query: statement => run(client, statement),
    async savepoint(work) {
      const name = `s${++depth}`
      await client.query(`savepoint ${name}`)
      try {
        const result = await work()
        await client.query(`release savepoint ${name}`)
        return result
      } catch (error) {
        await client.query(`rollback to savepoint ${name}`)
        throw error
      } finally {
        depth--
      }
    }
  }
}

async function transaction<T>(pool: pg.Pool, work: (db: Transaction) => Promise<T>): Promise<T> {
  const client = await pool.connect()
  let broken: Error | undefined
  const onError = (error: Error) => void (broken = error)
  client.on('error', onError)
  try {
    await client.query('begin')
    const result = await work(handle(client))
    // After an error COMMIT succeeds with the tag ROLLBACK: that is no commit.
    const { command } = await client.query('commit')
    if (command !== 'COMMIT') throw new Error(`The transaction ended with ${command}`)
    return result
  } catch (error) {
    const known = translate(error)
    // A server that is away would not answer a rollback either; it undoes by itself what was not committed.
    if (isLost(known)) broken ??= known as Error
    else await client.query('rollback').catch((failed: Error) => (broken = failed))
    throw known
  } finally {
    client.off('error', onError)
    client.release(broken)
  }
}

/** Opens a pool. Every error it throws is one for clients, or a fault of ours. */
export function openDatabase(options: DatabaseOptions): OpenDatabase {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.maxConnections,
    connectionTimeoutMillis: 5000,
    idleTimeoutMillis: 30000,
    statement_timeout: options.statementTimeoutMs,
    // The server gives up first, unless the network has swallowed it.
    query_timeout: options.statementTimeoutMs + answerTimeMs,
    idle_in_transaction_session_timeout: 60000,
    keepAlive: true,
    application_name: 'kith',
    options: '-c TimeZone=UTC -c DateStyle=ISO -c jit=off'
  })
  pool.on('error', options.onError)
  // A connection in use tells of its end through its statement; without a listener it would end the process too.
  pool.on('connect', client => client.on('error', () => undefined))
  return {
    query: statement => runPooled(pool, statement),
    transaction: work =>
      transaction(pool, work).catch((error: unknown) => {
        throw translate(error)
      }),
    ping: async () => {
      await pool.query('select 1')
    },
    connections: () => ({
      total: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount
    }),
    close: () => pool.end()
  }
}
