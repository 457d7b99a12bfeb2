import sql from 'sql-template-tag'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { statuses, times } from './helpers/http.js'

const stages = [
  'awareness',
  'interest',
  'consideration',
  'decision',
  'action',
  'retention',
  'advocacy'
] as const

interface Row {
  seq: number
  at: string
  recordedAt: string
  stage: string | null
}

t.test('the lifecycle of contacts and companies', async t => {
  const program = await testApp(t)
  const { call, graphql, database, workspaceId } = program

  async function make(body: object, plural = 'contacts'): Promise<{ id: string; createdAt: string }> {
    const answer = await call('POST', `/v1/${plural}`, body)
    t.equal(answer.status, 201, answer.text)
    return answer.body as { id: string; createdAt: string }
  }
  const rows = async (id: string, plural = 'contacts') =>
    (await call('GET', `/v1/${plural}/${id}/lifecycle`)).body.data as Row[]
  const names = async (id: string) => (await rows(id)).map(r => r.stage)
  const stageOf = async (id: string) =>
    (await call('GET', `/v1/contacts/${id}`)).body.lifecycleStage as string | null

  await t.test('a row at the creation and at each change, however it is made', async t => {
    const { id, createdAt } = await make({ lastName: 'Walker', lifecycleStage: 'awareness' })
    await call('PATCH', `/v1/contacts/${id}`, { lifecycleStage: 'interest', jobTitle: 'Buyer' })
    await call('PATCH', `/v1/contacts/${id}`, { lifecycleStage: 'interest' })
    await call('PATCH', `/v1/contacts/${id}`, { jobTitle: 'Head of buying' })
    await call('POST', '/v1/contacts/batch', {
      operations: [{ op: 'update', id, body: { lifecycleStage: 'decision' } }]
    })
    await call('POST', `/v1/contacts/${id}/lifecycle`, { stage: 'action' })
    await call('PATCH', `/v1/contacts/${id}`, { lifecycleStage: null })
    const history = await rows(id)
    t.same(
      history.map(r => [r.seq, r.stage]),
      [
        [1, 'awareness'],
        [2, 'interest'],
        [3, 'decision'],
        [4, 'action'],
        [5, null]
      ]
    )
    t.match(history[0], { at: createdAt, recordedAt: createdAt })
    t.same(
      [...history].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)),
      history
    )
    t.same(await rows((await make({ lastName: 'Nobody' })).id), [], 'none for one without a stage')
  })

  await t.test('an upsert makes and changes it; its history counts only at the creation', async t => {
    const url = '/v1/companies/external/erp/1'
    const past = { stage: 'interest', at: '2024-05-01T00:00:00.000Z' }
    const made = await call('PUT', url, { name: 'Acme', lifecycleHistory: [past] })
    t.match(made, { status: 201, body: { lifecycleStage: 'interest' } })
    const again = await call('PUT', url, { name: 'Acme', lifecycleHistory: [past] })
    t.match(again, { status: 200, body: { version: 1 } })
    await call('PUT', url, { lifecycleStage: 'retention' })
    const history = await rows(made.body.id as string, 'companies')
    t.match(history, [past, { stage: 'retention' }])
  })

  await t.test('an import brings the past, in any order', async t => {
    const { id } = await make({
      lastName: 'Imported',
      lifecycleHistory: [
        { stage: 'decision', at: '2024-03-01T00:00:00Z' },
        { stage: 'awareness', at: '2024-01-01T00:00:00Z' },
        { stage: 'interest', at: '2024-01-01T00:00:00Z' }
      ]
    })
    t.same(await names(id), ['awareness', 'interest', 'decision'])
    t.equal(await stageOf(id), 'decision')
    const future = new Date(Date.now() + 60_000).toISOString()
    const refused = await call('POST', '/v1/contacts', {
      lifecycleHistory: [
        { stage: 'interest', at: '2024-01-01T00:00:00Z' },
        { stage: 'decision', at: future }
      ]
    })
    t.match(refused, {
      status: 422,
      body: { errors: [{ pointer: '/lifecycleHistory/1/at', code: 'future' }] }
    })
    const mismatch = await call('POST', '/v1/contacts', {
      lifecycleStage: 'action',
      lifecycleHistory: [{ stage: 'interest', at: '2024-01-01T00:00:00Z' }]
    })
    t.match(mismatch, {
      status: 422,
      body: { errors: [{ pointer: '/lifecycleStage', code: 'history_mismatch' }] }
    })
    const unknown = await call('POST', '/v1/contacts', {
      lifecycleHistory: [{ stage: 'loyalty', at: '2024-01-01T00:00:00Z' }]
    })
    t.match(unknown, { status: 400, body: { errors: [{ pointer: '/lifecycleHistory/0/stage' }] } })
  })

  await t.test('a stage told late takes its place', async t => {
    const { id } = await make({ lastName: 'Late', lifecycleStage: 'action' })
    const url = `/v1/contacts/${id}/lifecycle`
    const early = { stage: 'awareness', at: '2024-01-01T00:00:00.000Z' }
    t.match(await call('POST', url, early), { status: 200, body: { lifecycleStage: 'action', version: 1 } })
    await call('POST', url, early)
    t.same(await names(id), ['awareness', 'action'], 'what is told twice counts once')
    const { body } = await graphql(
      `
        mutation ($id: ID!) {
          setContactLifecycleStage(input: { id: $id, stage: INTEREST, at: "2024-02-01T00:00:00Z" }) {
            contact {
              lifecycleStage
            }
          }
        }
      `,
      { id }
    )
    t.equal(body.data.setContactLifecycleStage.contact.lifecycleStage, 'ACTION')
    const list = await graphql('query ($id: ID!) { contactLifecycle(id: $id) { data { seq stage at } } }', {
      id
    })
    t.match(list.body.data.contactLifecycle.data, [
      { seq: 2, stage: 'AWARENESS', at: early.at },
      { seq: 3, stage: 'INTEREST', at: '2024-02-01T00:00:00.000Z' },
      { seq: 1, stage: 'ACTION' }
    ])
    const empty = await make({ lastName: 'Blank' })
    const first = await call('POST', `/v1/contacts/${empty.id}/lifecycle`, early)
    t.match(first.body, { lifecycleStage: 'awareness', version: 2 })
    const future = await call('POST', url, {
      stage: 'retention',
      at: new Date(Date.now() + 60_000).toISOString()
    })
    t.match(future, { status: 422, body: { errors: [{ pointer: '/at', code: 'future' }] } })
    const stale = await call('POST', url, { stage: 'retention', at: early.at }, { 'if-match': '"7"' })
    t.equal(stale.status, 412)
    t.same(await names(id), ['awareness', 'interest', 'action'], 'nothing of what was refused is kept')
  })

  await t.test('who may not, and what is not there', async t => {
    const { id } = await make({ lastName: 'Closed' })
    const reader = { authorization: `Bearer ${await program.newKey(['contacts:read'])}` }
    const url = `/v1/contacts/${id}/lifecycle`
    t.equal((await call('GET', url, undefined, reader)).status, 200)
    t.equal((await call('POST', url, { stage: 'action' }, reader)).status, 403)
    const other = await program.newWorkspace('other')
    const foreign = { authorization: `Bearer ${await program.newKey(['admin'], other)}` }
    t.equal((await call('GET', url, undefined, foreign)).status, 404)
    for (const at of [undefined, '2024-01-01T00:00:00Z']) {
      t.equal((await call('POST', url, { stage: 'action', at }, foreign)).status, 404)
    }
    await call('DELETE', `/v1/contacts/${id}`)
    t.equal((await call('POST', url, { stage: 'action', at: '2024-01-01T00:00:00Z' })).status, 404)
    t.equal((await call('GET', url)).status, 200, 'the past of one in the bin can be asked')
    t.same(await names(id), [])
  })

  await t.test('many changes at once: the history ends where the record is', async t => {
    for (let round = 0; round < 10; round++) {
      const { id } = await make({ lastName: 'Raced', lifecycleStage: 'awareness' })
      const answers = await times(12, i => {
        const stage = stages[(i + round) % stages.length]
        if (i % 3 === 0) {
          const at = new Date(Date.now() - i * 1000).toISOString()
          return call('POST', `/v1/contacts/${id}/lifecycle`, { stage, at })
        }
        return call('PATCH', `/v1/contacts/${id}`, { lifecycleStage: stage })
      })
      t.same(statuses(answers), { 200: 12 })
      const history = await rows(id)
      t.equal(history.at(-1)!.stage, await stageOf(id))
      t.same(
        history.map(r => r.seq).sort((a, b) => a - b),
        history.map((_, i) => i + 1)
      )
    }
  })

  await t.test('two changes at once make two rows, or one where they agree', async t => {
    const { id } = await make({ lastName: 'Twice', lifecycleStage: 'awareness' })
    await times(2, i => call('PATCH', `/v1/contacts/${id}`, { lifecycleStage: stages[i + 1] }))
    t.equal((await rows(id)).length, 3)
    await times(2, () => call('PATCH', `/v1/contacts/${id}`, { lifecycleStage: 'advocacy' }))
    t.equal((await rows(id)).length, 4)
  })

  await t.test('a batch of a thousand writes a row for each stage', async t => {
    const name = (i: number) => `Batch ${i}`
    const made = await call('POST', '/v1/contacts/batch', {
      operations: Array.from({ length: 1000 }, (_, i) => ({
        op: 'create',
        body: { lastName: name(i), ...(i % 2 === 0 && { lifecycleStage: stages[i % 7] }) }
      }))
    })
    const ids = (made.body.results as { id: string }[]).map(r => r.id)
    const changed = await call('POST', '/v1/contacts/batch', {
      operations: ids.map((id, i) => ({
        op: 'update',
        id,
        body: i % 3 === 0 ? { lifecycleStage: stages[(i + 1) % 7] } : { jobTitle: 'Buyer' }
      }))
    })
    t.same(new Set((changed.body.results as { status: string }[]).map(r => r.status)), new Set(['updated']))
    const found = await database.query<{ id: string; stages: string[]; now: string | null }>(sql`
      select c.id, c.lifecycle_stage as now, array(
        select h.stage from lifecycle_history h
        where h.workspace_id = c.workspace_id and h.resource = 'contact' and h.record_id = c.id order by h.at, h.seq
      ) as stages
      from contacts c where c.workspace_id = ${workspaceId} and c.last_name like 'Batch %'`)
    const byId = new Map(found.map(f => [f.id, f]))
    const wrong = ids.filter((id, i) => {
      const expected = [
        ...(i % 2 === 0 ? [stages[i % 7]] : []),
        ...(i % 3 === 0 ? [stages[(i + 1) % 7]] : [])
      ]
      const { stages: kept, now } = byId.get(id)!
      return JSON.stringify(kept) !== JSON.stringify(expected) || now !== (expected.at(-1) ?? null)
    })
    t.same(wrong, [])
  })

  await t.test('the history is that of the changes', async t => {
    const { id } = await make({ lastName: 'Compared', lifecycleStage: stages[0] })
    for (let i = 0; i < 30; i++) {
      const body = i % 4 === 3 ? { jobTitle: `Title ${i}` } : { lifecycleStage: stages[(i * i) % 7] }
      await call('PATCH', `/v1/contacts/${id}`, body)
    }
    const { body } = await call('GET', `/v1/contacts/${id}/changes?limit=200`)
    const changes = (body.data as { fields: { field: string; to: string }[] }[])
      .flatMap(c => c.fields.filter(f => f.field === 'lifecycleStage').map(f => f.to))
      .reverse()
    t.ok(changes.length > 10)
    t.same(await names(id), [stages[0], ...changes])
  })
})
