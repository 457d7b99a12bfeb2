import type { Sql } from 'sql-template-tag'

export type Row = Record<string, unknown>

/** The only way to the database: one statement in, rows out. Errors come as KithError where a client caused them. */
export interface Db {
  query<T extends Row = Row>(statement: Sql): Promise<T[]>
}

/** A database handle inside a transaction; a savepoint undoes only what ran in it. */
export interface Transaction extends Db {
  savepoint<T>(run: () => Promise<T>): Promise<T>
}

export interface Database extends Db {
  /** Runs on one connection between BEGIN and COMMIT; rejects unless the server said COMMIT. */
  transaction<T>(run: (db: Transaction) => Promise<T>): Promise<T>
}

/** Who caused a change: a person, a program's key, or Kith itself. */
export interface Actor {
  type: 'user' | 'key' | 'system'
  id: string | null
}

/** Which records of the workspace a credential sees. Teams and own records come with roles. */
export type RowScope = 'all'

/** Everything an operation knows about who asks and where. There is no default: nothing runs without one. */
export interface Context {
  readonly workspaceId: string
  readonly actor: Actor
  /** The person a record falls to when its creator names no owner. */
  readonly userId: string | null
  readonly scopes: ReadonlySet<string>
  readonly rowScope: RowScope
  readonly requestId: string
  readonly idempotencyKey: string | null
  /** Aborts when the caller is gone, where one may leave before the answer. */
  readonly gone?: () => AbortSignal
  readonly db: Db
}

/** A context whose writes are all in one transaction. */
export interface TransactionContext extends Context {
  readonly db: Transaction
}
