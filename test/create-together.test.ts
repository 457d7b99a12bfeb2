import t from 'tap'
import sql from 'sql-template-tag'
import { testApp } from './helpers/app.js'
import { statuses, times } from './helpers/http.js'

const { call, database, newKey } = await testApp(t)
const other = { authorization: `Bearer ${await newKey(['contacts:write', 'contacts:read'])}` }

interface Event {
  id: string
  recordId: string
  actor: { id: string }
}

const eventsOf = async (type: string) =>
  (await call('GET', `/v1/events?types=${type}&limit=200`)).body.data as Event[]

t.test('creations of one turn share a statement, each with an event of its own', async t => {
  const answers = await times(24, i =>
    call(
      'POST',
      '/v1/contacts',
      { lastName: `C${i}`, tags: [`t${i}`], customFields: { i } },
      {
        'x-request-id': `request-${i}`,
        ...(i % 2 === 0 && other)
      }
    )
  )
  t.same(statuses(answers), { 201: 24 })
  t.same(
    answers.map(a => [a.body.lastName, a.body.tags, a.body.customFields, a.body.version]),
    answers.map((_, i) => [`C${i}`, [`t${i}`], { i }, 1])
  )
  const [made] = await database.query<{ statements: number }>(
    sql`select count(distinct xmin::text)::int as statements from contacts`
  )
  t.ok(made!.statements < 24, `made by ${made!.statements} statements`)

  const events = await eventsOf('contact.created')
  t.equal(events.length, 24)
  t.equal(new Set(events.map(e => e.id)).size, 24)
  for (const [i, { body }] of answers.entries()) {
    const event = events.find(e => e.recordId === body.id)
    t.match(event, { requestId: `request-${i}`, data: body, actor: { type: 'key' } })
  }
  t.equal(new Set(events.map(e => e.actor.id)).size, 2, 'of two actors')
  for (const { body } of answers) t.same((await call('GET', `/v1/contacts/${body.id}`)).body, body)
})

t.test('one that is refused takes no other with it', async t => {
  const codes = ['a', 'same', 'b', 'same', 'c', 'same', 'd']
  const answers = await times(codes.length, i =>
    call('POST', '/v1/products', { name: `P${i}`, code: codes[i] })
  )
  t.same(statuses(answers), { 201: 5, 409: 2 })
  const refused = answers.filter(a => a.status === 409)
  t.match(refused[0]!.body, { code: 'conflict' })
  const { body } = await call('GET', '/v1/products?sort=createdAt')
  t.same((body.data as { code: string }[]).map(p => p.code).sort(), ['a', 'b', 'c', 'd', 'same'])
  t.equal((await eventsOf('product.created')).length, 5)
})

t.test('those with an Idempotency-Key are made once beside others', async t => {
  const answers = await times(12, i =>
    call('POST', '/v1/contacts', { firstName: 'K' }, i < 6 ? { 'idempotency-key': `k${i % 2}` } : {})
  )
  const made = answers.filter(a => a.status === 201)
  const ids = new Set(made.map(a => a.body.id as string))
  t.equal(ids.size, 8)
  t.equal((await call('GET', '/v1/contacts?count=true&firstName=K')).body.page.totalCount, 8)
})
