import t from 'tap'
import { testApp } from './helpers/app.js'
import { statuses, times } from './helpers/http.js'

t.test('activities', async t => {
  const program = await testApp(t)
  const { call, graphql } = program
  const make = async (body: object) => (await call('POST', '/v1/activities', body)).body
  const past = '2025-03-01T09:00:00.000Z'
  const ahead = () => new Date(Date.now() + 86_400_000).toISOString()
  const eventTypes = async (id: unknown) => {
    const { body } = await call('GET', `/v1/events?recordId=${String(id)}`)
    return (body.data as { type: string }[]).map(e => e.type)
  }

  await t.test('the status follows from what is told', async t => {
    const cases: [object, string][] = [
      [{ type: 'task' }, 'planned'],
      [{ type: 'task', status: 'completed' }, 'completed'],
      [{ type: 'task', completedAt: past }, 'completed'],
      [{ type: 'call' }, 'completed'],
      [{ type: 'call', dueAt: past }, 'planned'],
      [{ type: 'call', dueAt: past, occurredAt: past }, 'completed'],
      [{ type: 'meeting', occurredAt: past }, 'completed'],
      [{ type: 'meeting', occurredAt: ahead() }, 'planned'],
      [{ type: 'meeting', occurredAt: past, status: 'canceled' }, 'canceled']
    ]
    for (const [body, status] of cases) {
      const made = await make(body)
      t.equal(made.status, status, JSON.stringify(body))
      t.equal(made.completedAt !== null, status === 'completed', 'completedAt with it')
    }
  })

  await t.test("what lies ahead does so by the database's clock, not by that of the process", async t => {
    const { now } = Date
    const [soon, tomorrow] = [now() + 3_600_000, now() + 86_400_000]
    const body = { type: 'meeting', occurredAt: new Date(soon).toISOString() }
    Date.now = () => tomorrow
    t.teardown(() => (Date.now = now))
    t.equal((await make(body)).status, 'planned')
    Date.now = now
  })

  await t.test('a completed one was completed when it ended, unless said', async t => {
    const ended = await make({ type: 'call', occurredAt: past, endedAt: '2025-03-01T09:30:00.000Z' })
    t.equal(ended.completedAt, '2025-03-01T09:30:00.000Z')
    t.equal((await make({ type: 'call', occurredAt: past })).completedAt, past)
    t.equal((await make({ type: 'task', completedAt: past })).completedAt, past)
    const now = await make({ type: 'note' })
    t.ok(Math.abs(Date.parse(now.completedAt as string) - Date.parse(now.createdAt as string)) < 5000)
    const early = await make({ type: 'meeting', occurredAt: ahead(), status: 'completed' })
    t.ok(Date.parse(early.completedAt as string) <= Date.now() + 5000, 'never in the future')
  })

  await t.test('completedAt of one that is not completed, or to come, is refused', async t => {
    const planned = await call('POST', '/v1/activities', {
      type: 'task',
      status: 'planned',
      completedAt: past
    })
    t.match(planned, {
      status: 422,
      body: { errors: [{ pointer: '/completedAt', code: 'not_completed' }] }
    })
    const future = await call('POST', '/v1/activities/batch', {
      operations: [
        { op: 'create', body: { type: 'task', completedAt: ahead() } },
        { op: 'create', body: { type: 'task', completedAt: past } }
      ]
    })
    t.match(future.body.results, [
      {
        status: 'failed',
        error: { errors: [{ pointer: '/operations/0/body/completedAt', code: 'future' }] }
      },
      { status: 'created' }
    ])
    const { id } = await make({ type: 'task' })
    const patched = await call('PATCH', `/v1/activities/${id}`, { completedAt: past })
    t.match(patched, { status: 400, body: { errors: [{ pointer: '/completedAt' }] } })
  })

  await t.test('a status set by an update keeps completedAt true', async t => {
    const { id } = await make({ type: 'task', dueAt: ahead() })
    const patch = async (body: object) => (await call('PATCH', `/v1/activities/${id}`, body)).body
    const done = await patch({ status: 'completed' })
    t.equal(done.completedAt, done.updatedAt)
    t.match(await patch({ status: 'completed' }), { version: done.version, completedAt: done.completedAt })
    t.match(await patch({ status: 'completed', outcome: 'sold' }), { completedAt: done.completedAt })
    t.match(await patch({ status: 'planned' }), { completedAt: null, outcome: 'sold' })
    t.match(await patch({ status: 'canceled' }), { completedAt: null })
    t.same(await eventTypes(id), [
      'activity.created',
      'activity.completed',
      'activity.updated',
      'activity.updated',
      'activity.updated'
    ])
  })

  await t.test('an upsert tells the same', async t => {
    const url = '/v1/activities/external/erp/4711'
    const made = await call('PUT', url, { type: 'task', status: 'completed', completedAt: past })
    t.match(made, { status: 201, body: { status: 'completed', completedAt: past } })
    const again = await call('PUT', url, { type: 'task', status: 'completed', completedAt: past })
    t.match(again, { status: 200, body: { version: 1, completedAt: past } })
    const planned = await call('PUT', url, { status: 'planned' })
    t.match(planned.body, { status: 'planned', completedAt: null })
  })

  await t.test('completing, once', async t => {
    const { id, version } = await make({ type: 'task', dueAt: ahead() })
    const url = `/v1/activities/${id}/complete`
    const stale = await call('POST', url, {}, { 'if-match': '"7"' })
    t.match(stale, { status: 412, body: { currentVersion: version } })
    const future = await call('POST', url, { completedAt: ahead() })
    t.match(future, { status: 422, body: { errors: [{ pointer: '/completedAt', code: 'future' }] } })
    const answers = await times(5, () => call('POST', url, { outcome: 'sold', completedAt: past }))
    t.same(statuses(answers), { 200: 1, 409: 4 })
    t.match(answers.find(a => a.status === 200)!.body, {
      status: 'completed',
      completedAt: past,
      outcome: 'sold'
    })
    t.match(answers.find(a => a.status === 409)!.body, { code: 'conflict', completedAt: past })
    t.same(await eventTypes(id), ['activity.created', 'activity.completed'])
    await call('PATCH', `/v1/activities/${id}`, { status: 'canceled' })
    t.equal((await call('POST', url, {})).status, 422)
    await call('DELETE', `/v1/activities/${id}`)
    t.equal((await call('POST', url, {})).status, 404)
  })

  await t.test('a canceled one is not completed, and the error names the place', async t => {
    const { id } = await make({ type: 'task', status: 'canceled' })
    t.match(await call('POST', `/v1/activities/${id}/complete`, {}), {
      status: 422,
      body: { errors: [{ in: 'path', parameter: 'id', code: 'wrong_transition' }] }
    })
    t.match(await call('DELETE', `/v1/activities/${id}`, { why: 'not' }), {
      status: 400,
      body: { errors: [{ in: 'body', pointer: '', code: 'not_allowed' }] }
    })
  })

  await t.test('completing over GraphQL', async t => {
    const { id } = await make({ type: 'demo', occurredAt: past, status: 'planned' })
    const mutation = `mutation ($input: CompleteActivityInput!) {
      completeActivity(input: $input) { activity { status completedAt endedAt } } }`
    const early = await graphql(mutation, { input: { id, endedAt: '2025-02-01T00:00:00Z' } })
    t.match(early.body.errors[0].extensions, { status: 422, errors: [{ pointer: '/endedAt' }] })
    const { body } = await graphql(mutation, { input: { id, endedAt: '2025-03-01T10:00:00Z' } })
    t.match(body.data.completeActivity.activity, {
      status: 'COMPLETED',
      endedAt: '2025-03-01T10:00:00.000Z'
    })
    t.ok(body.data.completeActivity.activity.completedAt)
    const again = await graphql(mutation, { input: { id } })
    t.equal(again.body.errors[0].extensions.code, 'conflict')
  })

  await t.test('the list of what is to be done', async t => {
    const owner = await call('POST', '/v1/users', { name: 'Owner', email: 'owner@example.com' })
    const ownerId = owner.body.id as string
    const due = (day: number) => `2025-04-0${day}T12:00:00.000Z`
    for (const day of [3, 1, 2]) await make({ type: 'task', subject: `due ${day}`, dueAt: due(day), ownerId })
    await make({ type: 'task', subject: 'whenever', ownerId })
    await make({ type: 'task', subject: "another's", dueAt: due(1) })
    await make({ type: 'task', subject: 'done', dueAt: due(1), status: 'completed', ownerId })
    const subjects = async (query: string) => {
      const { body } = await call('GET', `/v1/activities?ownerId=${ownerId}&status=planned&${query}`)
      return (body.data as { subject: string }[]).map(a => a.subject)
    }
    t.same(await subjects(`sort=dueAt&dueAt[lt]=${due(3)}`), ['due 1', 'due 2'])
    t.same(await subjects(`sort=dueAt&dueAt[lte]=${due(3)}`), ['due 1', 'due 2', 'due 3'])
    t.same(await subjects('sort=dueAt'), ['due 1', 'due 2', 'due 3', 'whenever'])
    t.same(await subjects(`dueAt[lt]=${due(3)}`), ['due 2', 'due 1'], 'newest first unless sorted')
  })
})
