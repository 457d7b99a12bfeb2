import t from 'tap'
import { testApp } from './helpers/app.js'
import { day, reader, story, type Entry } from './helpers/timeline.js'

t.test('pages of timelines', async t => {
  const program = await testApp(t)
  const { call, graphql } = program
  const { make, stage, contact, calls } = await story(program)
  const read = reader(program)

  /** Every entry, page by page; `between` runs after each page. */
  async function walk(path: string, query: string, between = async () => {}): Promise<Entry[]> {
    const entries: Entry[] = []
    for (let after = ''; ;) {
      const { data, page } = await read(path, `${query}${after}`)
      entries.push(...data)
      if (!page.hasMore) return entries
      after = `&after=${page.nextCursor}`
      await between()
    }
  }

  await t.test('of the same moment every entry once, whatever the page', async t => {
    const at = day(10)
    const id = await make('contacts', {
      lastName: 'Moment',
      lifecycleHistory: ['awareness', 'interest', 'action'].map(s => ({ stage: s, at }))
    })
    for (let i = 0; i < 4; i++) await make('activities', { type: 'note', occurredAt: at, contactId: id })
    for (const name of ['One', 'Two']) {
      const history = [stage.New, stage.Offer, stage.Won].map(stageId => ({ stageId, at }))
      await make('deals', { name, primaryContactId: id, history })
    }
    await make('leads', { lastName: 'M', status: 'converted', convertedAt: at, contactId: id })
    const whole = (await read(`contacts/${id}`)).data
    t.equal(whole.length, 3 + 4 + 6 + 1)
    for (const limit of [1, 2, 3, 5]) t.same(await walk(`contacts/${id}`, `limit=${limit}`), whole)
    const kinds = 'kinds=stage_move,lifecycle'
    t.same(
      await walk(`contacts/${id}`, `limit=1&${kinds}`),
      whole.filter(e => e.kind === 'stage_move' || e.kind === 'lifecycle')
    )
    const stages = whole.flatMap(e => (e.lifecycle as { stage: string } | null)?.stage ?? [])
    t.same(stages, ['action', 'interest', 'awareness'], 'the last told first')
  })

  await t.test('a walk while rows are written repeats and skips none', async t => {
    const id = await make('contacts', { lastName: 'Busy', lifecycleStage: 'awareness' })
    for (let i = 0; i < 12; i++) {
      await make('activities', { type: 'note', occurredAt: day(i * 3), contactId: id })
      await call('PATCH', `/v1/contacts/${id}`, { jobTitle: `Title ${i}` })
    }
    const before = (await read(`contacts/${id}`)).data.map(e => e.id)
    let n = 0
    const walked = await walk(`contacts/${id}`, 'limit=4', async () => {
      n++
      await make('activities', { type: 'note', contactId: id })
      await make('activities', { type: 'note', occurredAt: day(n * 4), contactId: id })
      await call('PATCH', `/v1/contacts/${id}`, { needs: `Need ${n}` })
    })
    const ids = walked.map(e => e.id)
    t.ok(n > 5)
    t.equal(new Set(ids).size, ids.length, 'none twice')
    t.same(
      ids.filter(i => before.includes(i)),
      before,
      'all that were there, in their order'
    )
    t.ok(walked.every((e, i) => i === 0 || walked[i - 1]!.at >= e.at))
  })

  await t.test('no other workspace, no other cursor', async t => {
    const key = await program.newKey(['admin'], await program.newWorkspace('other'))
    const foreign = await call('GET', `/v1/contacts/${contact}/timeline`, undefined, {
      authorization: `Bearer ${key}`
    })
    const unknown = await call('GET', '/v1/contacts/018f0000-0000-7000-8000-000000000000/timeline')
    t.equal(foreign.status, 404)
    t.equal(foreign.body.detail, unknown.body.detail)
    const encoded = (parts: unknown) => Buffer.from(JSON.stringify(parts)).toString('base64url')
    const list = await call('GET', '/v1/contacts?limit=1')
    const cursors = [
      'nonsense',
      list.body.page.nextCursor as string,
      encoded(['timeline']),
      encoded(['timeline', 'yesterday', 'activity', calls, '0']),
      encoded(['timeline', day(1), 'rumour', calls, '0']),
      encoded(['timeline', day(1), 'activity', "' or true", '0']),
      encoded(['timeline', day(1), 'activity', calls, '99999999999999999999']),
      encoded(['timeline', day(1), 'activity', calls, 0])
    ]
    for (const cursor of cursors) {
      const answer = await call('GET', `/v1/contacts/${contact}/timeline?after=${cursor}`)
      t.match(answer, { status: 400, body: { errors: [{ parameter: 'after', code: 'invalid_cursor' }] } })
      const graph = await graphql(
        'query ($id: ID!, $after: String) { contact(id: $id) { timelineEntries(after: $after) { nodes { id } } } }',
        { id: contact, after: cursor }
      )
      t.match(graph.body.errors[0].extensions, {
        code: 'invalid_input',
        errors: [{ code: 'invalid_cursor' }]
      })
    }
    for (const limit of [0, 201, 'many']) {
      t.equal((await call('GET', `/v1/contacts/${contact}/timeline?limit=${limit}`)).status, 400)
    }
  })
})
