export type Row = Record<string, unknown>

/** A text with `$1`, `$2` … and their values; the tag `sql` makes them. */
export interface Statement {
  readonly text: string
  readonly values: unknown[]
}

/** The only way to the database: one statement in, rows out. Errors come as KithError where a client caused them. */
export interface Db {
  query<T extends Row = Row>(statement: Statement): Promise<T[]>
}

/** A database handle inside a transaction; a savepoint undoes only what ran in it. */
export interface Transaction extends Db {
  savepoint<T>(run: () => Promise<T>): Promise<T>
}

/** Whether a handle is one connection's inside a transaction. */
export const inTransaction = (db: Db): db is Transaction => 'savepoint' in db

export interface Database extends Db {
  /** Runs on one connection between BEGIN and COMMIT; rejects unless the server said COMMIT. */
  transaction<T>(run: (db: Transaction) => Promise<T>): Promise<T>
}

/** Reads that may take long: each sees one moment of the database, and ends early when it is told to stop. */
export interface Snapshots {
  /** Milliseconds after which a statement is given up, and so should be what is worked out from it. */
  readonly longestMs: number
  read<T>(work: (db: Db) => Promise<T>, stop: AbortSignal): Promise<T>
  close(): Promise<void>
}

/** Who caused a change: a person, a program's key, or Kith itself. */
export interface Actor {
  type: 'user' | 'key' | 'system'
  id: string | null
}

/** Whose records a credential may see: everybody's, those of one's teams, or one's own. */
export const rowScopes = ['all', 'team', 'own'] as const
export type RowScope = (typeof rowScopes)[number]

/** Who a credential stands for: all of a context but the request. */
export interface Principal {
  readonly workspaceId: string
  readonly actor: Actor
  /** The person a record falls to when its creator names no owner. */
  readonly userId: string | null
  readonly scopes: ReadonlySet<string>
  readonly rowScope: RowScope
  /** The users whose records are visible, worked out from the row scope; null for all records, unowned ones too. */
  readonly owners: readonly string[] | null
}

/** Everything an operation knows about who asks and where. There is no default: nothing runs without one. */
export interface Context extends Principal {
  readonly requestId: string
  readonly idempotencyKey: string | null
  /** Aborts when the caller is gone, where one may leave before the answer. */
  readonly gone?: () => AbortSignal
  /** Asks again who the caller is, where an answer takes long; throws where the credential no longer counts. */
  readonly renew?: () => Promise<Principal>
  readonly db: Db
}

/** A context whose writes are all in one transaction. */
export interface TransactionContext extends Context {
  readonly db: Transaction
}
