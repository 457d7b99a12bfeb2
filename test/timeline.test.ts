import sql from 'sql-template-tag'
import t from 'tap'
import { testApp } from './helpers/app.js'
import { day, reader, story, type Entry } from './helpers/timeline.js'

t.test('timelines', async t => {
  const program = await testApp(t)
  const { call, graphql } = program
  const { make, stage, company, contact, deal, lead, calls, visit } = await story(program)
  const read = reader(program)

  const kindsAndTimes = (entries: Entry[]) => entries.map(e => `${e.kind} ${e.at}`)

  await t.test('a story, latest first', async t => {
    const { data, page } = await read(`contacts/${contact}`)
    t.same(kindsAndTimes(data.slice(1)), [
      `stage_move ${day(6)}`,
      `activity ${day(5)}`,
      `stage_move ${day(4)}`,
      `conversion ${day(3)}`,
      `lifecycle ${day(2)}`,
      `activity ${day(1)}`
    ])
    t.same(page, { hasMore: false, nextCursor: null })
    const [change, offer, meeting, opened, conversion, lifecycle, asked] = data
    const { body: me } = await call('GET', '/v1/me')
    const actor = { actorType: 'key', actorId: me.actorId as string }
    t.match(change, {
      ...actor,
      kind: 'change',
      change: { version: 2, fields: [{ field: 'jobTitle', from: null, to: 'Buyer' }] }
    })
    t.match(offer, {
      ...actor,
      id: `${deal}:2`,
      stageMove: {
        dealId: deal,
        dealName: 'Chairs',
        stageName: 'Offer',
        fromStageName: 'New',
        fromStageId: stage.New
      },
      activity: null
    })
    t.match(opened!.stageMove, { stageName: 'New', fromStageId: null, fromStageName: null })
    t.match(conversion, { id: lead, conversion: { leadId: lead, contactId: contact, dealId: deal } })
    t.match(lifecycle, { ...actor, lifecycle: { stage: 'awareness' } })
    t.match(meeting, { ...actor, id: visit })
    const { body: activity } = await call('GET', `/v1/activities/${calls}`)
    t.same(asked!.activity, activity, 'the activity as one gets it')
  })

  await t.test('of each record what belongs to it', async t => {
    const kinds = async (path: string) => (await read(path)).data.map(e => e.kind)
    t.same(await kinds(`companies/${company}`), [
      'lifecycle',
      'stage_move',
      'stage_move',
      'conversion',
      'activity'
    ])
    t.same(await kinds(`deals/${deal}`), ['stage_move', 'stage_move', 'conversion', 'activity'])
    t.same(await kinds(`leads/${lead}`), ['conversion', 'activity'])
    t.same(await kinds(`contacts/${await make('contacts', { lastName: 'Nobody' })}`), [])
  })

  await t.test('what one kind tells is not told again as a change', async t => {
    const id = await make('deals', { name: 'Tables', stageId: stage.New, currency: 'EUR' })
    await call('POST', `/v1/deals/${id}/move`, { stageId: stage.Offer })
    await call('POST', `/v1/deals/${id}/move`, { stageId: stage.New, at: day(1) })
    await call('PATCH', `/v1/deals/${id}`, { amount: '12' })
    const { data } = await read(`deals/${id}`)
    t.same(
      data.map(e => e.kind),
      ['change', 'stage_move', 'stage_move', 'stage_move']
    )
    t.match(data[0]!.change, { fields: [{ field: 'amount', from: null, to: '12' }] })
    const person = await make('contacts', { lastName: 'Staged' })
    await call('PATCH', `/v1/contacts/${person}`, { lifecycleStage: 'action' })
    await call('PATCH', `/v1/contacts/${person}`, { lifecycleStage: 'retention', jobTitle: 'Head' })
    const told = (await read(`contacts/${person}`)).data
    t.same(told.map(e => e.kind).sort(), ['change', 'lifecycle', 'lifecycle'])
    const change = told.find(e => e.kind === 'change')!.change as { fields: { field: string }[] }
    t.same(
      change.fields.map(f => f.field),
      ['jobTitle']
    )
  })

  await t.test('only some kinds', async t => {
    const { data } = await read(`contacts/${contact}`, 'kinds=activity,lifecycle')
    t.same(
      data.map(e => e.kind),
      ['activity', 'lifecycle', 'activity']
    )
    for (const [path, kinds] of [
      [`contacts/${contact}`, 'activty'],
      [`contacts/${contact}`, ''],
      [`leads/${lead}`, 'stage_move']
    ]) {
      const answer = await call('GET', `/v1/${path}/timeline?kinds=${kinds}`)
      t.match(answer, { status: 400, body: { errors: [{ in: 'query', parameter: 'kinds' }] } }, kinds!)
    }
  })

  await t.test('who converted a lead is known when its event is no longer kept', async t => {
    const person = await make('leads', { lastName: 'Converted', status: 'qualified' })
    const converted = await call('POST', `/v1/leads/${person}/convert`, { company: null })
    t.equal(converted.status, 200)
    const note = await make('activities', { type: 'note', leadId: person })
    const { body: me } = await call('GET', '/v1/me')
    const actors = async () =>
      (await read(`leads/${person}`, 'kinds=activity,conversion')).data.map(e => [e.kind, e.actorId]).sort()
    t.same(await actors(), [['activity', me.actorId], ['conversion', me.actorId]]) // prettier-ignore
    await program.database.query(sql`
      delete from events where workspace_id = ${program.workspaceId} and record_id = any(${[person, note]}::uuid[])`)
    t.same(await actors(), [['activity', null], ['conversion', me.actorId]]) // prettier-ignore
  })

  await t.test('what is in the bin is not shown', async t => {
    const id = await make('contacts', { lastName: 'Binned' })
    const note = await make('activities', { type: 'note', contactId: id })
    const gone = await make('deals', { name: 'Gone', stageId: stage.New, primaryContactId: id })
    t.same((await read(`contacts/${id}`)).data.map(e => e.kind).sort(), ['activity', 'stage_move'])
    await call('DELETE', `/v1/activities/${note}`)
    await call('DELETE', `/v1/deals/${gone}`)
    t.same((await read(`contacts/${id}`)).data, [])
    t.same(
      (await read(`deals/${gone}`)).data.map(e => e.kind),
      ['change', 'stage_move'],
      "a binned record's own can be asked"
    )
  })

  await t.test('each kind needs its scope', async t => {
    const cases: [string[], string[], string, string][] = [
      [['contacts:read'], ['change', 'lifecycle'], 'activity', 'activities:read'],
      [['contacts:read', 'activities:read'], ['activity', 'change', 'lifecycle'], 'stage_move', 'deals:read'],
      [['contacts:read', 'deals:read'], ['change', 'lifecycle', 'stage_move'], 'conversion', 'leads:read']
    ]
    for (const [scopes, kinds, missing, scope] of cases) {
      const headers = { authorization: `Bearer ${await program.newKey(scopes)}` }
      const { data } = await read(`contacts/${contact}`, '', headers)
      t.same([...new Set(data.map(e => e.kind))].sort(), kinds)
      const asked = await call(
        'GET',
        `/v1/contacts/${contact}/timeline?kinds=change,${missing}`,
        undefined,
        headers
      )
      t.match(asked, { status: 403, body: { code: 'forbidden', scope } })
      const query = `query ($id: ID!, $kinds: [TimelineKind!]) { contact(id: $id) {
        timelineEntries(kinds: $kinds) { nodes { kind } } } }`
      const graph = await graphql(query, { id: contact }, headers)
      const nodes = graph.body.data.contact.timelineEntries.nodes as Entry[]
      t.same([...new Set(nodes.map(e => e.kind.toLowerCase()))].sort(), kinds)
      const refused = await graphql(query, { id: contact, kinds: [missing.toUpperCase()] }, headers)
      t.match(refused.body.errors[0].extensions, { code: 'forbidden', scope })
    }
    const none = { authorization: `Bearer ${await program.newKey(['activities:read'])}` }
    t.equal((await call('GET', `/v1/contacts/${contact}/timeline`, undefined, none)).status, 403)
  })
})
