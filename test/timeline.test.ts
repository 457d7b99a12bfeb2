import sql from 'sql-template-tag'
import t from 'tap'
import { Statements } from './conformance/statements.js'
import { testApp, type TestApp } from './helpers/app.js'

interface Entry extends Record<string, unknown> {
  id: string
  kind: string
  at: string
}

interface Page {
  data: Entry[]
  page: { hasMore: boolean; nextCursor: string | null }
}

const day = (n: number) => new Date(Date.UTC(2025, 0, n, 12)).toISOString()

/** A contact at a company, with a deal that moved, a lead that was converted, activities, stages and changes. */
async function story({ call }: TestApp) {
  const make = async (plural: string, body: object) => {
    const answer = await call('POST', `/v1/${plural}`, body)
    if (answer.status !== 201) throw new Error(answer.text)
    return answer.body.id as string
  }
  const pipeline = await make('pipelines', {
    name: 'Sales',
    stages: [{ name: 'New' }, { name: 'Offer' }, { name: 'Won', kind: 'won' }]
  })
  const found = await call('GET', `/v1/stages?pipelineId=${pipeline}`)
  const stage = Object.fromEntries(
    (found.body.data as { name: string; id: string }[]).map(s => [s.name, s.id])
  )
  const company = await make('companies', { name: 'Acme', lifecycleStage: 'interest' })
  const contact = await make('contacts', {
    lastName: 'Rumi',
    companyId: company,
    lifecycleHistory: [{ stage: 'awareness', at: day(2) }]
  })
  const deal = await make('deals', {
    name: 'Chairs',
    companyId: company,
    primaryContactId: contact,
    history: [
      { stageId: stage.New, at: day(4) },
      { stageId: stage.Offer, at: day(6) }
    ]
  })
  const lead = await make('leads', {
    lastName: 'Rumi',
    status: 'converted',
    convertedAt: day(3),
    contactId: contact,
    companyId: company,
    dealId: deal
  })
  const about = { contactId: contact, companyId: company, dealId: deal, leadId: lead }
  const calls = await make('activities', { type: 'call', subject: 'Asked', occurredAt: day(1), ...about })
  const visit = await make('activities', {
    type: 'meeting',
    subject: 'Showed',
    occurredAt: day(5),
    contactId: contact
  })
  return { make, stage, company, contact, deal, lead, calls, visit }
}

t.test('timelines', async t => {
  const program = await testApp(t)
  const { call, graphql } = program
  const { make, stage, company, contact, deal, lead, calls, visit } = await story(program)

  async function read(path: string, query = '', headers = {}): Promise<Page> {
    const answer = await call('GET', `/v1/${path}/timeline?${query}`, undefined, headers)
    if (answer.status !== 200) throw new Error(answer.text)
    return answer.body as Page
  }

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

  const kindsAndTimes = (entries: Entry[]) => entries.map(e => `${e.kind} ${e.at}`)

  await t.test('a story, latest first', async t => {
    await call('PATCH', `/v1/contacts/${contact}`, { jobTitle: 'Buyer' })
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

  await t.test('what the activities of a level lead to is read at once', async t => {
    const statements = new Statements(program)
    const query = `query ($first: Int) { contacts(filter: { lastName: { eq: "Rumi" } }) { nodes {
      timelineEntries(first: $first, kinds: [ACTIVITY]) { nodes { activity { contact { id } } } } } } }`
    const ask = (first: number) =>
      statements.count(async () => {
        const { body } = await graphql(query, { first })
        t.equal(body.data.contacts.nodes[0].timelineEntries.nodes.length, first)
      })
    t.equal(await ask(1), await ask(2))
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

  await t.test('both surfaces say the same', async t => {
    const fields = `id kind at actorType actorId activity { id type subject customFields owner { id } contact { lastName } }
      stageMove { dealId dealName stageId stageName stageKind fromStageId recordedAt }
      conversion { leadId contactId companyId dealId } lifecycle { stage recordedAt }
      change { version requestId fields { field from to } }`
    const plurals = { contact: 'contacts', company: 'companies', deal: 'deals', lead: 'leads' }
    for (const [name, id] of Object.entries({ contact, company, deal, lead })) {
      const rest = (await read(`${plurals[name as keyof typeof plurals]}/${id}`)).data
      const nodes: Entry[] = []
      for (let after: string | null = null; ;) {
        const { body } = await graphql(
          `query ($id: ID!, $after: String) { ${name}(id: $id) { timelineEntries(first: 2, after: $after) {
            nodes { ${fields} } edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } } }`,
          { id, after }
        )
        const found = body.data[name].timelineEntries as {
          nodes: Entry[]
          edges: { cursor: string; node: { id: string } }[]
          pageInfo: Record<string, unknown>
        }
        nodes.push(...found.nodes)
        t.same(
          found.edges.map(e => e.node.id),
          found.nodes.map(e => e.id)
        )
        t.match(found.pageInfo, {
          hasPreviousPage: after !== null,
          startCursor: found.edges[0]!.cursor,
          endCursor: found.edges.at(-1)!.cursor
        })
        after = found.pageInfo.endCursor as string
        if (found.pageInfo.hasNextPage !== true) break
      }
      const enums = new Set(['kind', 'actorType', 'type', 'stageKind', 'stage'])
      const plain = JSON.parse(JSON.stringify(nodes), (key, value: unknown) =>
        enums.has(key) && typeof value === 'string' ? value.toLowerCase() : value
      ) as Entry[]
      t.equal(plain.length, rest.length)
      t.match(
        rest,
        plain.map(({ activity, ...entry }) => ({
          ...entry,
          activity: activity && { id: (activity as Entry).id, subject: (activity as Entry).subject as string }
        }))
      )
      for (const { activity } of plain) {
        if (activity && name === 'contact') t.match(activity, { contact: { lastName: 'Rumi' }, owner: null })
      }
    }
  })

  await t.test('the timelines of many records are one statement', async t => {
    const statements = new Statements(program)
    for (let i = 0; i < 5; i++) {
      const id = await make('contacts', { lastName: `Many ${i}` })
      for (let n = 0; n <= i; n++) await make('activities', { type: 'note', contactId: id })
    }
    const query = `{ contacts(first: 5) { nodes { lastName timelineEntries(first: 3, kinds: [ACTIVITY]) {
      nodes { kind } pageInfo { hasNextPage } } } } }`
    let answer = await graphql(query)
    const needed = await statements.count(async () => void (answer = await graphql(query)))
    t.equal(needed, 2, 'the contacts, and their timelines')
    const nodes = answer.body.data.contacts.nodes as {
      timelineEntries: { nodes: unknown[]; pageInfo: object }
    }[]
    t.same(
      nodes.map(n => n.timelineEntries.nodes.length),
      [3, 3, 3, 2, 1]
    )
    t.same(
      nodes.map(n => n.timelineEntries.pageInfo),
      [true, true, false, false, false].map(hasNextPage => ({ hasNextPage }))
    )
  })
})
