import type { Sql } from 'sql-template-tag'
import type { Db, Row } from '../../src/kernel/context.js'
import type { TestApp } from '../helpers/app.js'

// Who asks is looked up anew every few seconds, whatever is asked.
const ofCredential = /\bapi_keys (k|set last_used_at)\b/

/** What was sent to the database: every text once, and how many statements there were. */
export class Statements {
  readonly texts = new Set<string>()
  private sent = 0

  /** Watches all statements of a program from now on. */
  constructor({ database, snapshots }: Pick<TestApp, 'database' | 'snapshots'>) {
    const { query, transaction } = database
    const { read } = snapshots
    const watched =
      (db: Pick<Db, 'query'>['query']) =>
      <T extends Row>(statement: Sql) => {
        this.texts.add(statement.text)
        if (!ofCredential.test(statement.text)) this.sent++
        return db<T>(statement)
      }
    database.query = watched(query)
    database.transaction = work => transaction(db => work({ ...db, query: watched(db.query) }))
    snapshots.read = (work, stop) => read(db => work({ query: watched(db.query) }), stop)
  }

  /** How many statements a piece of work needs; nothing else may run meanwhile. */
  async count(work: () => Promise<unknown>): Promise<number> {
    const before = this.sent
    await work()
    return this.sent - before
  }
}

const keywords = new Set([
  'where',
  'select',
  'set',
  'on',
  'order',
  'group',
  'using',
  'join',
  'left',
  'values'
])

/** The tables of ours that a statement names without their workspace: by alias, or at all where there is none. */
export function tablesWithoutWorkspace(statement: string, tables: readonly string[]): string[] {
  const mention = new RegExp(
    `\\b(?:from|join|update|into|using)\\s+"?(${tables.join('|')})"?(?:\\s+(?:as\\s+)?([a-z]+))?\\b`,
    'gi'
  )
  return [...statement.matchAll(mention)].flatMap(([, table, word]) => {
    const alias = word === undefined || keywords.has(word.toLowerCase()) ? undefined : word
    const inserted = new RegExp(`into\\s+"?${table}"?[^(]*\\(workspace_id`, 'i').test(statement)
    const column = new RegExp(alias ? `\\b${alias}"?\\."?workspace_id\\b` : `\\bworkspace_id\\b`)
    return inserted || column.test(statement) ? [] : [table!]
  })
}
