import sql, { type Sql } from 'sql-template-tag'
import t from 'tap'
import type { Row } from '../src/kernel/context.js'
import { changeRecords } from '../src/kernel/write.js'
import { contacts } from '../src/resources/contacts/resource.js'
import { systemContext } from '../src/resources/identity/create.js'
import { testApp } from './helpers/app.js'

interface PlanNode {
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Join Filter'?: number
  Plans?: PlanNode[]
}

const { call, database, workspaceId } = await testApp(t)
const records = 1000

const nodes = (plan: PlanNode): PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)]

/** The rows that one step of the statement looks at, the most of any. */
async function mostLookedAt(ids: readonly string[]): Promise<number> {
  const sent: Sql[] = []
  const db = { query: async <T extends Row>(statement: Sql): Promise<T[]> => (sent.push(statement), []) }
  const rows = ids.map(id => ({ id, patch: { jobTitle: 'Mason' } }))
  await changeRecords(systemContext(db, workspaceId), contacts, rows)
  const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    sql`explain (analyze, format json) ${sent[0]!}`
  )
  const looked = (n: PlanNode) =>
    n['Actual Loops'] *
    (n['Actual Rows'] + (n['Rows Removed by Filter'] ?? 0) + (n['Rows Removed by Join Filter'] ?? 0))
  return Math.max(...nodes(row!['QUERY PLAN'][0].Plan).map(looked))
}

t.test(
  'a table of which the planner knows nothing is changed without comparing each row with each',
  async t => {
    await database.query(sql`alter table contacts set (autovacuum_enabled = off)`)
    const operations = Array.from({ length: records }, (_, n) => ({
      op: 'create',
      body: { lastName: `${n}` }
    }))
    const made = await call('POST', '/v1/contacts/batch', { operations })
    const ids = (made.body.results as { id: string }[]).map(r => r.id)
    t.equal(ids.length, records)
    const all = await mostLookedAt(ids)
    t.ok(all < 100 * records, `${all} rows for ${records}`)
  }
)
