import sql, { type Sql } from 'sql-template-tag'
import t, { type Test } from 'tap'
import type { Row } from '../src/kernel/context.js'
import { testApp } from './helpers/app.js'
import { as, identity, type Person } from './helpers/identity.js'

interface PlanNode {
  'Node Type': string
  'Index Name'?: string
  'Actual Rows': number
  'Rows Removed by Filter'?: number
  Plans?: PlanNode[]
}

const kith = await testApp(t)
const { call, database, workspaceId } = kith
const { newUser, tokenOf } = identity(kith)
const owners = 50
const records = 20000

async function fill(team: string): Promise<Person[]> {
  const people: Person[] = []
  for (let i = 0; i < owners; i++) people.push(await newUser('rep', i < 10 ? { teamId: team } : {}))
  await database.query(sql`
    insert into companies (workspace_id, id, created_at, updated_at, name, owner_id)
    select ${workspaceId}, gen_random_uuid(), now() - i * interval '1 minute', now(), 'Company ' || i,
      (${people.map(p => p.id)}::uuid[])[1 + i % ${owners}::int]
    from generate_series(1, ${records}::int) i`)
  await database.query(sql`analyze companies`)
  return people
}

const nodes = (plan: PlanNode): PlanNode[] => [plan, ...(plan.Plans ?? []).flatMap(nodes)]

/** How the database answers the first page of companies to somebody. */
async function planOf(t: Test, user: Person): Promise<{ types: string[]; indexes: string[]; read: number }> {
  const sent: Sql[] = []
  const { query } = database
  database.query = <T extends Row>(statement: Sql) => (sent.push(statement), query<T>(statement))
  const reply = await call('GET', '/v1/companies', undefined, as(tokenOf(user)))
  database.query = query
  t.equal(reply.body.data.length, 50)
  const list = sent.find(s => s.text.includes('from "companies" t'))!
  const [row] = await database.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
    sql`explain (analyze, format json) ${list}`
  )
  const all = nodes(row!['QUERY PLAN'][0].Plan)
  return {
    types: all.map(n => n['Node Type']),
    indexes: all.flatMap(n => n['Index Name'] ?? []),
    read: Math.max(...all.map(n => n['Actual Rows'] + (n['Rows Removed by Filter'] ?? 0)))
  }
}

t.test('a page of the records in scope is read by an index', async t => {
  const team = (await call('POST', '/v1/teams', { name: 'Team' })).body.id as string
  const [rep] = await fill(team)
  const own = await planOf(t, rep!)
  t.same(own.indexes, ['companies_owner'])
  t.notOk(own.types.includes('Sort'), 'in its order')
  t.ok(own.read < 100, `${own.read} rows for one's own`)
  const manager = await newUser('manager', { teamId: team })
  const teams = await planOf(t, manager)
  t.notOk(teams.types.includes('Seq Scan'))
  t.ok(teams.read < records / 10, `${teams.read} rows for a team's`)
})
