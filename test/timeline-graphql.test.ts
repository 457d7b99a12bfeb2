import t from 'tap'
import { Statements } from './conformance/statements.js'
import { testApp } from './helpers/app.js'
import { reader, story, type Entry } from './helpers/timeline.js'

t.test('timelines over GraphQL', async t => {
  const program = await testApp(t)
  const { graphql } = program
  const { make, company, contact, deal, lead } = await story(program)
  const read = reader(program)

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
