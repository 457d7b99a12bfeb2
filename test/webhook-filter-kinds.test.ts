import sql, { join, type Sql } from 'sql-template-tag'
import t from 'tap'
import { KithError } from '../src/kernel/errors.js'
import { operatorsOf } from '../src/kernel/filter-values.js'
import { allResources, type FieldInfo, type Resource } from '../src/kernel/resource.js'
import { systemContext } from '../src/resources/identity/create.js'
import { filterSql } from '../src/resources/webhooks/matching.js'
import { testApp } from './helpers/app.js'

const { database, workspaceId, call } = await testApp(t)
const ctx = systemContext(database, workspaceId)

async function created(plural: string, body: object): Promise<string> {
  const reply = await call('POST', `/v1/${plural}`, body)
  if (reply.status !== 201) throw new Error(reply.text)
  return (reply.body.id ?? reply.body[Object.keys(reply.body)[0]!].id) as string
}

/** Changes of records of most kinds, with and without values, with links that come and go. */
async function changes(): Promise<void> {
  const pipelineId = await created('pipelines', { name: 'P', stages: [{ name: 'A' }, { name: 'B' }] })
  const { body: stages } = await call('GET', `/v1/stages?pipelineId=${pipelineId}`)
  const companyId = await created('companies', { name: 'C', currency: 'EUR', annualRevenue: '12.5' })
  const contactId = await created('contacts', { lastName: 'K', tags: ['x'], customFields: { n: 5, t: 'g' } })
  await call('PATCH', `/v1/contacts/${contactId}`, { tags: [], customFields: { n: null, t: 'h' } })
  const contacts = [{ contactId, role: 'champion' }]
  const deal = { name: 'D', stageId: stages.data[0].id as string, amount: '5', currency: 'EUR' }
  const dealId = await created('deals', { ...deal, companyId, contacts })
  await call('PATCH', `/v1/deals/${dealId}`, { contacts: [], expectedCloseDate: '2026-01-01' })
  await created('teams', { name: 'T' })
  await created('leads', { lastName: 'L', email: 'l@example.com' })
  await created('products', { name: 'Chair' })
  await created('campaigns', { name: 'Summer' })
  await created('activities', { type: 'call', subject: 'S', companyId })
  await created('webhooks', { url: 'https://example.com/hook', enabled: false, types: ['deal.*'] })
}

/** Values of which each kind takes some; more of them where it takes what is at the edge. */
const values = [
  'x',
  '1',
  '-99999999999999.5',
  'NaN',
  '2025-01-01',
  '2025-01-01T00:00:00Z',
  '9998-12-31',
  'BD',
  'EUR',
  'en',
  'Asia/Dhaka',
  '+4930123456',
  'a@example.com',
  'https://example.com',
  'example.com',
  'contacts:read',
  '019b4c1a-3c00-7a10-8b20-000000000000',
  true,
  1,
  -1.5,
  1e300,
  2147483647,
  null
]

function operandsOf(field: FieldInfo, operator: string): unknown[] {
  const own = [...values, ...(field.schema.enum ?? []), ...(field.schema.items?.enum ?? [])]
  return operator === 'in' || operator === 'notIn' ? own.map(value => [value, value]) : own
}

function accepted(resource: Resource, field: FieldInfo, operator: string): Sql[] {
  return operandsOf(field, operator).flatMap(operand => {
    const test = { [operator]: operand }
    const filter = { [field.name]: field.kind === 'customFields' ? { n: test, t: test } : test }
    try {
      return [filterSql(ctx, [`${resource.eventName}.*`], filter)]
    } catch (error) {
      if (error instanceof KithError && error.status === 400) return []
      throw error
    }
  })
}

t.test('what a filter takes, the database can tell of every event', async t => {
  await changes()
  const [told] = await database.query<{ resources: number }>(sql`
    select count(distinct resource)::int as resources from events where workspace_id = ${workspaceId}`)
  t.ok(told!.resources >= 12, `there are events of ${told!.resources} resources`)
  const never: string[] = []
  for (const resource of allResources()) {
    const conditions: Sql[] = []
    for (const field of resource.fields.values()) {
      const operators = operatorsOf[field.kind]
      const transitions = operators.includes('eq') && field.kind !== 'customFields'
      for (const operator of [...operators, ...(transitions ? ['from', 'to', 'changed'] : [])]) {
        const found = accepted(resource, field, operator)
        if (found.length === 0) never.push(`${resource.name}.${field.name} ${operator}`)
        conditions.push(...found)
      }
    }
    for (let at = 0; at < conditions.length; at += 500) {
      const counts = conditions.slice(at, at + 500).map(met => sql`count(*) filter (where ${met})`)
      const statement = sql`
        select array[${join(counts)}]::int[] as met from events e where e.workspace_id = ${workspaceId}`
      await t.resolves(database.query(statement), `${conditions.length} conditions of ${resource.name}`)
    }
  }
  t.same(never, [], 'every operator of every field takes something')
})

t.test('links are those that the event tells of, not those of today', async t => {
  const { body } = await call('GET', '/v1/events?types=deal.*')
  const [first] = body.data as { data: { contacts: { contactId: string }[] } }[]
  const { contactId } = first!.data.contacts[0]!
  const met = filterSql(ctx, ['deal.*'], { contacts: { contains: contactId.toUpperCase() } })
  const rows = await database.query(sql`
    select e.type from events e where e.workspace_id = ${workspaceId} and ${met}`)
  t.same(rows, [{ type: 'deal.created' }], 'the contact is no longer one of the deal')
  const types = ['deal.*']
  const wrong = (filter: object) =>
    call('POST', '/v1/webhooks', { url: 'https://example.com/hook', types, filter })
  t.match(await wrong({ contacts: { contains: 'x' } }), {
    status: 400,
    body: { errors: [{ pointer: '/filter/contacts/contains' }] }
  })
  t.match(await wrong({ contacts: { to: contactId } }), {
    status: 400,
    body: { detail: 'contacts can be filtered with contains.' }
  })
})
