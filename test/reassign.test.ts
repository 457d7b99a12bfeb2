import sql from 'sql-template-tag'
import t from 'tap'
import { allResources } from '../src/kernel/resource.js'
import { Statements } from './conformance/statements.js'
import { testApp, type Reply } from './helpers/app.js'
import { identity } from './helpers/identity.js'
import { isProblem } from './helpers/problems.js'

type Json = Reply['body']

const kith = await testApp(t)
const { call, graphql, database } = kith
const { newUser } = identity(kith)
const statements = new Statements(kith)

const pipeline = await call('POST', '/v1/pipelines', { name: 'Sales', stages: [{ name: 'New' }] })
const stageId = (await call('GET', `/v1/stages?pipelineId=${pipeline.body.id}`)).body.data[0].id as string

async function make(plural: string, count: number, body: object): Promise<string[]> {
  const ids: string[] = []
  for (let done = 0; done < count; done += 1000) {
    const operations = Array.from({ length: Math.min(1000, count - done) }, () => ({ op: 'create', body }))
    const reply = await call('POST', `/v1/${plural}/batch`, { operations })
    ids.push(...(reply.body.results as Json[]).map(r => r.id as string))
  }
  return ids
}

const reassign = (id: string, body: object, headers = {}) =>
  call('POST', `/v1/users/${id}/reassign`, body, headers)

const counted = (reply: Reply) =>
  Object.fromEntries((reply.body.reassigned as Json[]).map(r => [r.resource as string, r.count as number]))

const ownedBy = async (plural: string, ownerId: string, query = '') =>
  (await call('GET', `/v1/${plural}?ownerId=${ownerId}&count=true&limit=1${query}`)).body.page
    .totalCount as number

t.test('all records of a leaver go to others in turn', async t => {
  const [leaver, one, two, three] = [await newUser('rep'), await newUser('rep'), await newUser('rep'), await newUser('manager')] // prettier-ignore
  const ownerId = leaver.id
  await make('companies', 2301, { name: 'Acme', ownerId })
  const [binned, contact] = await make('contacts', 5, { lastName: 'Rahman', ownerId })
  await call('DELETE', `/v1/contacts/${binned}`)
  const deals = await make('deals', 7, { name: 'Chairs', stageId, ownerId })
  await call('PATCH', `/v1/users/${leaver.id}`, { active: false })
  await call('DELETE', `/v1/users/${leaver.id}`)

  let reply: Reply | undefined
  const sent = await statements.count(async () => {
    reply = await reassign(leaver.id, { to: [one.id, two.id, three.id] })
  })
  t.equal(reply!.status, 200, reply!.text)
  const counts = counted(reply!)
  t.match(counts, { companies: 2301, contacts: 5, deals: 7 })
  const owned = allResources().filter(r => r.fields.has('ownerId'))
  t.same(Object.keys(counts).sort(), owned.map(r => r.plural).sort(), 'every kind that has an owner is told')
  t.ok(sent < 12 + 4 * owned.length, `${sent} statements`)
  for (const { id } of [one, two, three]) t.equal(await ownedBy('companies', id), 767, 'shared out evenly')
  t.equal(await ownedBy('companies', leaver.id), 0)
  t.equal(await ownedBy('contacts', leaver.id, '&deleted=true'), 0, 'from the bin as well')

  const events = await call('GET', `/v1/events?recordId=${contact}`)
  t.match(events.body.data, [
    { type: 'contact.created' },
    { type: 'contact.updated', previous: { ownerId: leaver.id }, changedFields: ['ownerId'] }
  ])
  const inBin = await call('GET', `/v1/contacts/${binned}?deleted=true`)
  t.match(inBin.body, { version: 3, deletedAt: /Z$/ })
  const changes = await call('GET', `/v1/contacts/${contact}/changes`)
  t.match(changes.body.data, [{ version: 2, fields: [{ field: 'ownerId', from: leaver.id }] }])
  const history = await call('GET', `/v1/deals/${deals[0]}/history`)
  const now = (await call('GET', `/v1/deals/${deals[0]}`)).body.ownerId as string
  t.same(
    (history.body.data as Json[]).map(r => r.ownerId as string),
    [leaver.id, now],
    'the history of a deal knows both owners'
  )
  t.match(
    counted(await reassign(leaver.id, { to: [one.id] })),
    { companies: 0, deals: 0 },
    'there is no more'
  )
})

t.test('only some kinds, and over GraphQL', async t => {
  const [from, to] = [await newUser('rep'), await newUser('rep')]
  await make('companies', 3, { name: 'Acme', ownerId: from.id })
  await make('contacts', 2, { lastName: 'Rahman', ownerId: from.id })
  const some = await reassign(from.id, { to: [to.id.toUpperCase()], resources: ['contacts'] })
  t.same(some.body, { reassigned: [{ resource: 'contacts', count: 2 }] })
  t.equal(await ownedBy('companies', from.id), 3, 'others stay')
  const { body } = await graphql(
    `
      mutation ($input: ReassignRecordsInput!) {
        reassignRecords(input: $input) {
          reassigned {
            resource
            count
          }
        }
      }
    `,
    { input: { id: from.id, to: [to.id], resources: ['companies', 'contacts'] } }
  )
  t.same(body.data.reassignRecords.reassigned, [
    { resource: 'companies', count: 3 },
    { resource: 'contacts', count: 0 }
  ])
})

t.test('a retry with the same key hands nothing over twice', async t => {
  const [from, to] = [await newUser('rep'), await newUser('rep')]
  await make('companies', 2, { name: 'Acme', ownerId: from.id })
  const key = { 'idempotency-key': 'leaving' }
  const first = await reassign(from.id, { to: [to.id] }, key)
  await make('companies', 1, { name: 'Acme', ownerId: from.id })
  const second = await reassign(from.id, { to: [to.id] }, key)
  t.equal(second.text, first.text)
  t.equal(second.headers['idempotency-replayed'], 'true')
  t.equal(await ownedBy('companies', from.id), 1)
})

t.test('what is refused', async t => {
  const [from, to, gone] = [await newUser('rep'), await newUser('rep'), await newUser('rep')]
  await call('DELETE', `/v1/users/${gone.id}`)
  const [company] = await make('companies', 1, { name: 'Acme', ownerId: from.id })
  const nobody = '01890000-0000-7000-8000-000000000000'
  const foreign = await call('POST', '/v1/users', { email: 'a@example.com', name: 'a' }, {
    authorization: `Bearer ${await kith.newKey(['admin'], await kith.newWorkspace('other'))}`
  }) // prettier-ignore
  const refused: [object, number, string][] = [
    [{ to: [] }, 400, '/to'],
    [{}, 400, '/to'],
    [{ to: ['x'] }, 400, '/to/0'],
    [{ to: [to.id, to.id] }, 400, '/to'],
    [{ to: [to.id], resources: ['companies', 'pipelines'] }, 400, '/resources/1'],
    [{ to: [to.id], resources: ['contact'] }, 400, '/resources/0'],
    [{ to: [to.id, from.id] }, 422, '/to/1'],
    [{ to: [to.id, nobody] }, 422, '/to/1'],
    [{ to: [gone.id] }, 422, '/to/0'],
    [{ to: [foreign.body.id] }, 422, '/to/0']
  ]
  for (const [body, status, pointer] of refused) {
    isProblem(t, await reassign(from.id, body), { status, pointer })
  }
  isProblem(t, await reassign(nobody, { to: [to.id] }), { status: 404 })
  isProblem(t, await reassign(foreign.body.id as string, { to: [to.id] }), { status: 404 })
  t.equal((await call('GET', `/v1/companies/${company}`)).body.ownerId, from.id, 'nothing happened')
})

t.test('every kind that has an owner has an index by it', async t => {
  for (const { table, fields } of allResources()) {
    if (!fields.has('ownerId')) continue
    const indexes = await database.query<{ def: string }>(
      sql`select indexdef as def from pg_indexes where tablename = ${table}`
    )
    t.ok(
      indexes.some(({ def }) => def.includes('(workspace_id, owner_id, created_at, id)')),
      table
    )
  }
})
