import { createHash } from 'node:crypto'
import pg from 'pg'
import sql from 'sql-template-tag'
import type { Database, Row, Snapshots, Statement, Transaction } from '../kernel/context.js'
import { KithError } from '../kernel/errors.js'
import { plannedEachTime } from '../kernel/search-text.js'
import { translate } from './errors.js'
import { listen, type Listener } from './listener.js'
import { queryRows, type Shape } from './rows.js'
import { snapshotsOf } from './snapshots.js'

export interface PoolOptions {
  maxConnections: number
  statementTimeoutMs: number
}

export interface DatabaseOptions extends PoolOptions {
  url: string
  /** Told of connections that break while nobody uses them. */
  onError: (error: Error) => void
}

export interface OpenDatabase extends Database {
  /** Rejects unless the server answers. */
  ping(): Promise<void>
  /** Passes on the messages of a channel until it is closed. */
  listen(channel: string, onMessage: (payload: string) => void): Listener
  /** The pool as it stands; `waiting` are statements that wait for a connection. */
  connections(): { total: number; idle: number; waiting: number }
  /** A pool of its own, for reads that may take long. */
  snapshots(options: PoolOptions): Snapshots
  close(): Promise<void>
}

const answerTimeMs = 2000
const connectTimeMs = 5000

const session = '-c TimeZone=UTC -c DateStyle=ISO -c jit=off'

// How a figure is best found depends on the period and the filter, so a plan made for any of them is no good; and a
// figure keeps to one core, since there are others to serve. It joins sets, and looks up row by row only where it says
// so: the planner takes a workspace that its statistics do not know yet for one of a single row. What is looked up row
// by row is never the same twice, and what is sorted are hundreds of thousands of rows.
const figureSession = [
  session,
  '-c plan_cache_mode=force_custom_plan -c max_parallel_workers_per_gather=0',
  '-c enable_nestloop=off -c enable_memoize=off -c work_mem=32MB'
].join(' ')

const namedShapes = 300
const shapes = new Map<string, Shape>()

// The server plans the first five uses of a prepared statement like those of any other.
const usesBeforeNamed = 5
const rememberedUses = 2000
const uses = new Map<string, number>()

function isUsual(name: string): boolean {
  const used = (uses.get(name) ?? 0) + 1
  if (used > usesBeforeNamed) return uses.delete(name)
  if (uses.size >= rememberedUses) uses.clear()
  uses.set(name, used)
  return false
}

// A statement that is used again and again is prepared once per connection, while its shape is among the first such
// ones of the process; the others, made from unusual filters, stay unnamed so that they do not fill the server's memory.
function shapeOf(text: string): Shape {
  const known = shapes.get(text)
  if (known) return known
  if (shapes.size >= namedShapes || text.includes(plannedEachTime)) return { text, name: undefined }
  const name = createHash('sha1').update(text).digest('base64url')
  if (!isUsual(name)) return { text, name: undefined }
  const shape = { text, name }
  shapes.set(text, shape)
  return shape
}

async function run<T extends Row>(client: pg.ClientBase, statement: Statement): Promise<T[]> {
  try {
    return await queryRows<T>(client, shapeOf(statement.text), statement.values)
  } catch (error) {
    throw translate(error)
  }
}

const isLost = (error: unknown) => error instanceof KithError && error.code === 'unavailable'

// The pool's own query gives a connection up after any error, also after one that only says no: a conflict would
// cost the next request a new connection.
async function runPooled<T extends Row>(pool: pg.Pool, statement: Statement): Promise<T[]> {
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

type Told = Pick<DatabaseOptions, 'url' | 'onError'>

function poolOf({ url, onError }: Told, options: PoolOptions, waitMs: number, settings: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.maxConnections,
    connectionTimeoutMillis: waitMs,
    idleTimeoutMillis: 30000,
    statement_timeout: options.statementTimeoutMs,
    // The server gives up first, unless the network has swallowed it.
    query_timeout: options.statementTimeoutMs + answerTimeMs,
    idle_in_transaction_session_timeout: 60000,
    keepAlive: true,
    application_name: 'kith',
    options: settings
  })
  pool.on('error', onError)
  // A connection in use tells of its end through its statement; without a listener it would end the process too.
  pool.on('connect', client => client.on('error', () => undefined))
  return pool
}

/** Opens a pool. Every error it throws is one for clients, or a fault of ours. */
export function openDatabase(options: DatabaseOptions): OpenDatabase {
  const pool = poolOf(options, options, connectTimeMs, session)
  const cancel = (pid: number) => runPooled(pool, sql`select pg_cancel_backend(${pid}::int)`)
  return {
    query: statement => runPooled(pool, statement),
    transaction: work =>
      transaction(pool, work).catch((error: unknown) => {
        throw translate(error)
      }),
    ping: async () => {
      await pool.query('select 1')
    },
    listen: (channel, onMessage) => listen(options.url, channel, onMessage, options.onError),
    connections: () => ({
      total: pool.totalCount,
      idle: pool.idleCount,
      waiting: pool.waitingCount
    }),
    snapshots(own) {
      const longest = own.statementTimeoutMs
      return snapshotsOf(poolOf(options, own, longest, figureSession), run, cancel, longest)
    },
    close: () => pool.end()
  }
}
