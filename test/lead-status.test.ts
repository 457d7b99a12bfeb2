import fc from 'fast-check'
import t from 'tap'
import { testApp, type Reply } from './helpers/app.js'
import { assertChain } from './helpers/chain.js'
import { listening, statuses, times } from './helpers/http.js'

type Json = Reply['body']

const app = await testApp(t)
const send = await listening(app)
const none = '018f0000-0000-7000-8000-000000000000'

// As the documentation says; the program's own table is not asked.
const mayFollow: Record<string, string[]> = {
  new: ['working', 'nurturing', 'qualified', 'unqualified'],
  working: ['nurturing', 'qualified', 'unqualified'],
  nurturing: ['working', 'qualified', 'unqualified'],
  qualified: ['working', 'nurturing', 'unqualified'],
  unqualified: ['working', 'nurturing'],
  converted: []
}
const all = Object.keys(mayFollow)
const timeOf = (status: string) => `${status}At`

async function captured(body: object = {}): Promise<Json> {
  const reply = await app.call('POST', '/v1/leads', { lastName: 'Rahman', ...body })
  if (reply.status !== 201) throw new Error(reply.text)
  return reply.body
}

const patch = (id: string, body: object, headers?: Record<string, string>) =>
  app.call('PATCH', `/v1/leads/${id}`, body, headers)

t.test('the status of a lead', async t => {
  await t.test('every pair of statuses: what may follow does, the others are told which may', async t => {
    for (const from of all) {
      for (const to of all) {
        const { id } = await captured({ status: from })
        const reply = await patch(id, { status: to })
        if (from === to) t.match(reply, { status: 200, body: { version: 1 } }, `${from} stays`)
        else if (mayFollow[from]!.includes(to)) {
          const entered = { status: to, version: 2, [timeOf(to)]: /Z$/ }
          t.match(reply, { status: 200, body: entered }, `${from} to ${to}`)
        } else {
          t.match(
            reply,
            {
              status: 422,
              body: {
                code: 'unprocessable',
                allowed: mayFollow[from],
                errors: [{ pointer: '/status', code: 'wrong_transition' }]
              }
            },
            `${from} not to ${to}`
          )
          const words = mayFollow[from]!.length === 0 ? ['stays converted'] : mayFollow[from]!
          for (const word of words) t.match(reply.body.detail, word, 'the message says what may follow')
        }
      }
    }
  })

  await t.test('the last time of each status is kept, by the clock of the database', async t => {
    const before = Date.now() - 1000
    const { id } = await captured()
    const first = await patch(id, { status: 'working' })
    await patch(id, { status: 'nurturing' })
    const again = await patch(id, { status: 'working' })
    t.ok(Date.parse(again.body.workingAt) >= Date.parse(again.body.nurturingAt))
    t.ok(Date.parse(first.body.workingAt) <= Date.parse(again.body.nurturingAt))
    t.ok(Date.parse(first.body.workingAt) >= before && Date.parse(again.body.workingAt) <= Date.now() + 1000)
    t.ok(Date.parse(again.body.workingAt) <= Date.parse(again.body.updatedAt), 'not after the change')
    t.same([again.body.qualifiedAt, again.body.unqualifiedAt, again.body.convertedAt], [null, null, null])
    const given = await patch(id, { workingAt: '2026-01-01T00:00:00Z' })
    t.match(given, { status: 400, body: { errors: [{ pointer: '/workingAt' }] } }, 'times are not set later')
    const types = (await assertChain(t, send, 'leads', id)).map(e => e.type as string)
    t.same(types, ['lead.created', ...Array.from({ length: 3 }, () => 'lead.status_changed')])
  })

  await t.test('a reason belongs to an unqualified lead and goes when it is taken up again', async t => {
    const { id } = await captured()
    const early = await patch(id, { unqualifiedReason: 'no budget' })
    const refused = {
      status: 422,
      body: { errors: [{ pointer: '/unqualifiedReason', code: 'not_unqualified' }] }
    }
    t.match(early, refused)
    const both = await patch(id, { status: 'unqualified', unqualifiedReason: 'no budget' })
    t.match(both.body, { status: 'unqualified', unqualifiedReason: 'no budget' })
    t.match((await patch(id, { unqualifiedReason: 'too small' })).body, { unqualifiedReason: 'too small' })
    t.match(await patch(id, { status: 'working', unqualifiedReason: 'still' }), refused)
    const taken = await patch(id, { status: 'working' })
    t.match(taken.body, {
      status: 'working',
      unqualifiedReason: null,
      unqualifiedAt: both.body.unqualifiedAt
    })
    t.match(await app.call('POST', '/v1/leads', { lastName: 'X', unqualifiedReason: 'no' }), refused)
  })

  await t.test(
    'a stale version is told before a wrong transition, a lead in the bin is not there',
    async t => {
      const { id } = await captured({ status: 'qualified' })
      await patch(id, { status: 'unqualified' })
      t.equal((await patch(id, { status: 'qualified' }, { 'if-match': '"1"' })).status, 412)
      t.equal((await patch(id, { status: 'qualified' }, { 'if-match': '"2"' })).status, 422)
      t.equal((await app.call('DELETE', `/v1/leads/${id}`)).status, 204)
      t.equal((await patch(id, { status: 'qualified' })).status, 404)
      t.equal((await app.call('POST', `/v1/leads/${id}/restore`)).body.status, 'unqualified')
    }
  )

  await t.test('GraphQL says the same', async t => {
    const { id } = await captured({ status: 'unqualified' })
    const mutation = `mutation($input: UpdateLeadInput!) { updateLead(input: $input) { lead { status workingAt } } }`
    const refused = await app.graphql(mutation, { input: { id, status: 'QUALIFIED' } })
    t.match(refused.body.errors[0].extensions, {
      status: 422,
      allowed: ['working', 'nurturing'],
      errors: [{ pointer: '/status', code: 'wrong_transition' }]
    })
    const moved = await app.graphql(mutation, { input: { id, status: 'WORKING' } })
    t.match(moved.body.data.updateLead.lead, { status: 'WORKING', workingAt: /Z$/ })
  })
})

t.test('a thousand transitions in one call, each judged by itself', async t => {
  const made = await app.call('POST', '/v1/leads/batch', {
    operations: Array.from({ length: 1000 }, (_, i) => ({
      op: 'create',
      body: { lastName: `Lead ${i}`, status: i % 2 ? 'unqualified' : 'new' }
    }))
  })
  const ids = (made.body.results as Json[]).map(r => r.id as string)
  const operations = ids.map(id => ({ op: 'update', id, body: { status: 'qualified' } }))
  const whole = await app.call('POST', '/v1/leads/batch', { atomic: true, operations })
  t.match(whole, {
    status: 422,
    body: {
      operation: 1,
      allowed: ['working', 'nurturing'],
      errors: [{ pointer: '/operations/1/body/status' }]
    }
  })
  const unchanged = await app.call('GET', '/v1/leads?status=qualified&lastName[startsWith]=Lead&limit=1')
  t.same(unchanged.body.data, [], 'nothing was written')
  const { status, body } = await app.call('POST', '/v1/leads/batch', { operations })
  t.equal(status, 200)
  const results = body.results as Json[]
  const wrong = results.filter((r, i) => r.status !== (i % 2 ? 'failed' : 'updated'))
  t.same(wrong, [])
  t.match(results[999]!.error, {
    code: 'unprocessable',
    errors: [{ pointer: '/operations/999/body/status' }]
  })
  const upserts = await app.call('POST', '/v1/leads/batch', {
    operations: [
      { op: 'update', id: ids[0], body: { externalIds: [{ source: 'x', id: '1' }] } },
      { op: 'update', id: none, body: { status: 'working' } }
    ]
  })
  t.same((upserts.body.results as Json[]).map(r => r.status as string), ['updated', 'failed']) // prettier-ignore
  t.match((await app.call('PUT', '/v1/leads/external/x/1', { status: 'converted' })).body, {
    status: 422,
    allowed: mayFollow.qualified
  })
  t.match(await app.call('PUT', '/v1/leads/external/x/1', { status: 'nurturing', workingAt: null }), {
    status: 200,
    body: { status: 'nurturing', nurturingAt: /Z$/ }
  })
})

t.test('changes at once never leave the table', async t => {
  const rounds = 40
  for (let round = 0; round < rounds; round++) {
    const { id } = await captured({ status: round % 2 ? 'qualified' : 'unqualified' })
    // Which of them may go depends on who went before.
    const wanted = ['working', 'qualified', 'unqualified', 'nurturing', 'qualified', 'working']
    const answers = await times(wanted.length, i => send('PATCH', `/v1/leads/${id}`, { status: wanted[i] }))
    t.same(Object.keys(statuses(answers)).filter(s => s !== '200' && s !== '422'), []) // prettier-ignore
    const events = await assertChain(t, send, 'leads', id)
    const way = events.map(e => e.data.status as string)
    const illegal = way.slice(1).filter((to, i) => to !== way[i] && !mayFollow[way[i]!]!.includes(to))
    t.same(illegal, [], way.join(' > '))
  }
})

t.test('random changes: the status goes ways of the table, and its time is the latest', async t => {
  const step = fc.record(
    {
      status: fc.constantFrom(...all),
      unqualifiedReason: fc.constantFrom(null, 'too small'),
      need: fc.constantFrom('no', 'confirmed')
    },
    { requiredKeys: [] }
  )
  const property = fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 12 }), fc.constantFrom(...all), async (steps, start) => {
      let lead = await captured({ status: start })
      for (const body of steps) {
        const to = body.status ?? lead.status
        const legal = to === lead.status || mayFollow[lead.status]!.includes(to)
        const reasonable = body.unqualifiedReason == null || to === 'unqualified'
        const reply = await patch(lead.id, body)
        if (reply.status !== (legal && reasonable ? 200 : 422)) return false
        if (reply.status === 422) continue
        const kept = all.slice(1).every(s => (s === to && s !== lead.status ? true : reply.body[timeOf(s)] === lead[timeOf(s)])) // prettier-ignore
        if (!kept || reply.body.status !== to) return false
        lead = reply.body
      }
      const now = lead.status === 'new' ? lead.capturedAt : lead[timeOf(lead.status)]
      const others = all.slice(1).map(s => Date.parse(lead[timeOf(s)] ?? lead.capturedAt))
      const silent = lead.status === 'unqualified' || lead.unqualifiedReason === null
      return silent && others.every(at => at <= Date.parse(now))
    }),
    { numRuns: 40 }
  )
  await t.resolves(property)
})
