import t from 'tap'
import { testApp, type Reply } from './helpers/app.js'
import { assertChain } from './helpers/chain.js'
import { listening } from './helpers/http.js'

type Json = Reply['body']

const app = await testApp(t)
const send = await listening(app)

async function captured(body: object = {}): Promise<Json> {
  const reply = await app.call('POST', '/v1/leads', { lastName: 'Rahman', ...body })
  if (reply.status !== 201) throw new Error(reply.text)
  return reply.body
}

t.test('a lead from elsewhere', async t => {
  const past = (day: string) => `2026-0${day}T00:00:00.000Z`

  await t.test('comes in any status with its times', async t => {
    const times = {
      capturedAt: past('1-01'),
      workingAt: past('1-02'),
      qualifiedAt: past('1-03'),
      convertedAt: past('2-01')
    }
    t.match(await captured({ status: 'converted', ...times }), {
      status: 'converted',
      ...times,
      contactId: null
    })
  })

  await t.test('a status without its time was entered at the latest moment known', async t => {
    const fresh = await captured({ status: 'working' })
    t.equal(fresh.workingAt, fresh.capturedAt)
    t.ok(
      Math.abs(Date.parse(fresh.createdAt) - Date.parse(fresh.workingAt)) < 1000,
      'now, unless captured before'
    )
    t.match(await captured({ status: 'qualified', capturedAt: past('1-01') }), { qualifiedAt: past('1-01') })
    const given = { capturedAt: past('1-01'), workingAt: past('3-01'), qualifiedAt: past('2-01') }
    t.match(await captured({ status: 'unqualified', ...given }), { ...given, unqualifiedAt: past('3-01') })
    t.match(await captured({ status: 'qualified', workingAt: past('3-01'), qualifiedAt: past('2-01') }), {
      capturedAt: past('2-01')
    })
  })

  await t.test('but not from the future, nor converted without being so', async t => {
    const future = new Date(Date.now() + 60_000).toISOString()
    for (const field of [
      'capturedAt',
      'workingAt',
      'nurturingAt',
      'qualifiedAt',
      'unqualifiedAt',
      'convertedAt'
    ]) {
      const reply = await app.call('POST', '/v1/leads', {
        lastName: 'X',
        status: 'converted',
        [field]: future
      })
      t.match(reply, { status: 422, body: { errors: [{ pointer: `/${field}`, code: 'future' }] } }, field)
    }
    const { id } = await captured()
    t.match(await app.call('PATCH', `/v1/leads/${id}`, { capturedAt: future }), {
      status: 422,
      body: { errors: [{ pointer: '/capturedAt' }] }
    })
    const reply = await app.call('POST', '/v1/leads', { lastName: 'X', convertedAt: past('1-01') })
    t.match(reply, { status: 422, body: { errors: [{ pointer: '/convertedAt', code: 'not_converted' }] } })
  })

  await t.test('its deal shows it: the first that says so, in a batch too', async t => {
    const pipeline = await app.call('POST', '/v1/pipelines', { name: 'Sales', stages: [{ name: 'New' }] })
    const stages = await app.call('GET', `/v1/stages?pipelineId=${pipeline.body.id}`)
    const opened = () => app.call('POST', '/v1/deals', { name: 'Deal', stageId: stages.body.data[0].id })
    const [one, two] = [await opened(), await opened()]
    t.equal(one.body.leadId, null)
    const [first, second, third] = [0, 1, 2].map(i => ({
      op: 'create',
      body: { lastName: `L${i}`, dealId: i < 2 ? one.body.id : two.body.id }
    }))
    const { body } = await app.call('POST', '/v1/leads/batch', { operations: [first, second, third] })
    const ids = (body.results as Json[]).map(r => r.id as string)
    await captured({ dealId: one.body.id })
    const deal = await app.call('GET', `/v1/deals/${one.body.id}?include=lead`)
    t.match(deal.body, { leadId: ids[0], version: 2, lead: { id: ids[0], lastName: 'L0' } })
    const filtered = await app.call('GET', `/v1/deals?leadId=${ids[2]}`)
    t.same((filtered.body.data as Json[]).map(d => d.id as string), [two.body.id]) // prettier-ignore
    const graph = await app.graphql(
      `query($id: ID!) { deal(id: $id) { lead { id deal { id } } leads { totalCount } } }`,
      { id: one.body.id }
    )
    t.same(graph.body.data.deal, {
      lead: { id: ids[0], deal: { id: one.body.id } },
      leads: { totalCount: 3 }
    })
    t.same(
      (await assertChain(t, send, 'deals', one.body.id)).map(e => e.type as string),
      ['deal.created', 'deal.updated']
    )
    const given = await app.call('PATCH', `/v1/deals/${one.body.id}`, { leadId: null })
    t.equal(given.status, 400, 'leadId is not for clients to set')
  })
})
