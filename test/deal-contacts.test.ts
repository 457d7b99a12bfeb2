import t, { type Test } from 'tap'
import { testApp, type TestApp } from './helpers/app.js'
import { execute } from './helpers/database.js'
import { Statements } from './conformance/statements.js'
import { done, makePipeline } from './helpers/funnel.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

interface World extends TestApp {
  /** Contacts by their first names. */
  contact: Record<string, string>
  stageId: string
  deal(body?: object): Promise<Json>
  patch(id: unknown, body: object): Promise<Json>
  /** Whether the rows of the contacts are what the deals have. */
  agrees(): Promise<boolean>
}

const names = ['Amina', 'Babul', 'Chandra']

async function newWorld(t: Test): Promise<World> {
  const app = await testApp(t)
  const { stage } = await makePipeline(app.call, ['new', 'won:won'])
  const contact: Record<string, string> = {}
  for (const firstName of names) {
    contact[firstName] = (await done(app.call('POST', '/v1/contacts', { firstName }))).id as string
  }
  const stageId = stage.new!
  const differing = `
    select d.id, c."contactId" as contact_id, c.role
    from deals d cross join lateral jsonb_to_recordset(d.contacts) as c("contactId" uuid, role text)`
  const stored = 'select deal_id, contact_id, role from deal_contacts'
  return {
    ...app,
    contact,
    stageId,
    deal: body => done(app.call('POST', '/v1/deals', { name: 'Deal', stageId, ...body })),
    patch: (id, body) => done(app.call('PATCH', `/v1/deals/${String(id)}`, body)),
    agrees: async () => {
      const statement = `((${differing}) except (${stored})) union all ((${stored}) except (${differing}))`
      return (await execute(app.url, statement)).rows.length === 0
    }
  }
}

const people = ({ contacts, primaryContactId }: Json) => ({
  contacts: (contacts as Json[]).map(c => [c.contactId, c.role]),
  primaryContactId: primaryContactId as unknown
})

t.test('contacts of a deal', async t => {
  const world = await newWorld(t)
  const [amina, babul, chandra] = names.map(n => world.contact[n]!) as [string, string, string]
  const both = [
    { contactId: amina, role: 'champion' },
    { contactId: babul, role: null }
  ]

  t.test('a new deal has those given, the primary one among them', async t => {
    const listed = await world.deal({ contacts: [both[0], { contactId: babul.toUpperCase() }] })
    t.same(listed.contacts, both, 'as given, without a role where none is')
    t.equal(listed.primaryContactId, null)
    t.same((await done(world.call('GET', `/v1/deals/${listed.id}`))).contacts, both)
    t.same(people(await world.deal({ primaryContactId: chandra })), {
      contacts: [[chandra, null]],
      primaryContactId: chandra
    })
    const among = await world.deal({ contacts: both, primaryContactId: amina })
    t.same(people(among), { contacts: [[amina, 'champion'], [babul, null]], primaryContactId: amina }) // prettier-ignore
    t.ok(await world.agrees())
  })

  t.test('a list is replaced whole; a primary contact left out of it is none any more', async t => {
    const deal = await world.deal({ contacts: both, primaryContactId: amina })
    const other = await world.patch(deal.id, { primaryContactId: chandra })
    t.same(people(other), {
      contacts: [[amina, 'champion'], [babul, null], [chandra, null]], // prettier-ignore
      primaryContactId: chandra
    })
    const kept = await world.patch(deal.id, { contacts: [{ contactId: chandra, role: 'user' }] })
    t.same(people(kept), { contacts: [[chandra, 'user']], primaryContactId: chandra })
    const gone = await world.patch(deal.id, { contacts: both })
    t.equal(gone.primaryContactId, null)
    const named = await world.patch(deal.id, { contacts: [], primaryContactId: babul })
    t.same(people(named), { contacts: [[babul, null]], primaryContactId: babul })
    const none = await world.patch(deal.id, { primaryContactId: null })
    t.same(people(none), { contacts: [[babul, null]], primaryContactId: null }, 'still a contact')
    t.equal(none.version, 6)
    const changes = (await done(world.call('GET', `/v1/deals/${deal.id}/changes`))).data as Json[]
    t.same(changes[0]!.fields, [{ field: 'primaryContactId', from: babul, to: null }])
    t.ok(await world.agrees())
  })

  t.test('what is there already changes nothing', async t => {
    const deal = await world.deal({ contacts: both, primaryContactId: amina })
    for (const body of [
      { contacts: both },
      { primaryContactId: amina },
      { contacts: both, primaryContactId: amina }
    ])
      t.same(await world.patch(deal.id, body), deal)
    const events = await done(world.call('GET', `/v1/events?recordId=${deal.id}`))
    t.equal(events.data.length, 1)
  })

  t.test('batches and upserts', async t => {
    const one = await world.deal({ contacts: both, primaryContactId: amina })
    const operations = [
      { op: 'create', body: { name: 'A', stageId: world.stageId, contacts: both } },
      { op: 'update', id: one.id, body: { contacts: [{ contactId: babul, role: 'blocker' }] } },
      {
        op: 'upsert',
        source: 'erp',
        externalId: '1',
        body: { name: 'B', stageId: world.stageId, primaryContactId: chandra }
      },
      {
        op: 'create',
        body: { name: 'C', stageId: world.stageId, contacts: [both[0], { contactId: one.id }] }
      },
      { op: 'create', body: { name: 'D', stageId: world.stageId, contacts: [both[0], both[0]] } }
    ]
    const { results } = await done(world.call('POST', '/v1/deals/batch', { operations }))
    t.same((results as Json[]).map(r => r.status as string), ['created', 'updated', 'created', 'failed', 'failed']) // prettier-ignore
    t.match(results[3].error, {
      code: 'unknown_reference',
      errors: [{ pointer: '/operations/3/body/contacts/1/contactId' }]
    })
    t.match(results[4].error, {
      errors: [{ pointer: '/operations/4/body/contacts/1/contactId', code: 'duplicate' }]
    })
    t.same(people(await done(world.call('GET', `/v1/deals/${one.id}`))), {
      contacts: [[babul, 'blocker']],
      primaryContactId: null
    })
    const again = await done(
      world.call('PUT', '/v1/deals/external/erp/1', {
        contacts: [{ contactId: amina }],
        primaryContactId: amina
      })
    )
    t.same(people(again), { contacts: [[amina, null]], primaryContactId: amina })
    t.ok(await world.agrees())
  })

  t.test('what cannot be is refused by its place', async t => {
    const foreign = {
      authorization: `Bearer ${await world.newKey(['admin'], await world.newWorkspace('other'))}`
    }
    const theirs = (await done(world.call('POST', '/v1/contacts', { firstName: 'X' }, foreign))).id as string
    const binned = (await done(world.call('POST', '/v1/contacts', { firstName: 'Y' }))).id as string
    await done(world.call('DELETE', `/v1/contacts/${binned}`))
    const create = (body: object) =>
      world.call('POST', '/v1/deals', { name: 'D', stageId: world.stageId, ...body })
    for (const contactId of [theirs, binned, '0198f0a0-0000-7000-8000-000000000000']) {
      t.match(await create({ contacts: [both[0], { contactId }] }), {
        status: 422,
        body: { code: 'unknown_reference', errors: [{ pointer: '/contacts/1/contactId' }] }
      })
    }
    t.match(await create({ contacts: [both[0], both[1], { contactId: amina.toUpperCase() }] }), {
      status: 400,
      body: { errors: [{ pointer: '/contacts/2/contactId', code: 'duplicate' }] }
    })
    for (const [contacts, pointer] of [
      [[{ contactId: amina, role: 'boss' }], '/contacts/0/role'],
      [[{ role: 'user' }], '/contacts/0/contactId'],
      [[{ contactId: amina, since: 1 }], '/contacts/0/since'],
      [null, '/contacts']
    ] as const)
      t.match(await create({ contacts }), { status: 400, body: { errors: [{ pointer }] } })
  })

  t.test('a hundred contacts, and no room for a primary one more', async t => {
    const operations = Array.from({ length: 101 }, (_, n) => ({ op: 'create', body: { firstName: `N${n}` } }))
    const { results } = await done(world.call('POST', '/v1/contacts/batch', { operations }))
    const contacts = (results as Json[]).map(r => ({ contactId: r.id as string }))
    t.equal(
      (await world.call('POST', '/v1/deals', { name: 'D', stageId: world.stageId, contacts })).status,
      400
    )
    const deal = await world.deal({ contacts: contacts.slice(1) })
    t.match(await world.call('PATCH', `/v1/deals/${deal.id}`, { primaryContactId: contacts[0]!.contactId }), {
      status: 422,
      body: { errors: [{ pointer: '/primaryContactId', code: 'maxItems' }] }
    })
    t.match(await world.patch(deal.id, { primaryContactId: contacts[100]!.contactId }), { version: 2 })
  })

  t.test('writers of one deal at once leave a primary contact that is among the contacts', async t => {
    const deal = await world.deal({ contacts: both, primaryContactId: amina })
    const bodies = [
      { contacts: both },
      { primaryContactId: chandra },
      { contacts: [{ contactId: babul, role: 'user' }] },
      { primaryContactId: amina },
      { contacts: [] }
    ]
    for (let round = 0; round < 6; round++) {
      await Promise.all(bodies.map(body => world.patch(deal.id, body)))
      const { contacts, primaryContactId } = await done(world.call('GET', `/v1/deals/${deal.id}`))
      const ids = (contacts as Json[]).map(c => c.contactId as string)
      t.ok(primaryContactId === null || ids.includes(primaryContactId as string))
      t.equal(new Set(ids).size, ids.length)
    }
    t.ok(await world.agrees())
  })

  t.test("a contact's deals are those of any role, on every path", async t => {
    const { id } = await done(world.call('POST', '/v1/contacts', { firstName: 'Dilip' }))
    const [first, second] = [
      await world.deal({ name: 'First', contacts: [{ contactId: id, role: 'influencer' }, both[0]] }),
      await world.deal({ name: 'Second', primaryContactId: id })
    ]
    await world.deal({ name: 'Neither', contacts: both })
    const wanted = [first.id, second.id]
    const { body } = await world.graphql(
      `query($id: ID!) { contact(id: $id) { deals(orderBy: CREATED_AT_ASC) { totalCount nodes {
        id contacts { role contactId contact { firstName } } } }
        one: deals(filter: { name: { eq: "First" } }) { totalCount nodes { id } } }
        deals(orderBy: CREATED_AT_ASC, filter: { contacts: { contains: $id } }) { nodes { id } }
        contacts(filter: { deals: { name: { eq: "First" } } }) { nodes { firstName } } }`,
      { id }
    )
    t.equal(body.errors, undefined)
    const { contact, deals, contacts } = body.data
    t.equal(contact.deals.totalCount, 2)
    t.same((contact.deals.nodes as Json[]).map(n => n.id as string), wanted) // prettier-ignore
    t.same(contact.deals.nodes[0].contacts, [
      { role: 'INFLUENCER', contactId: id, contact: { firstName: 'Dilip' } },
      { role: 'CHAMPION', contactId: amina, contact: { firstName: 'Amina' } }
    ])
    t.same(contact.one, { totalCount: 1, nodes: [{ id: first.id }] })
    t.same((deals.nodes as Json[]).map(n => n.id as string), wanted) // prettier-ignore
    t.same((contacts.nodes as Json[]).map(n => n.firstName as string).sort(), ['Amina', 'Dilip'])
    const listed = await done(world.call('GET', `/v1/deals?contacts[contains]=${id}&sort=createdAt`))
    t.same((listed.data as Json[]).map(d => d.id as string), wanted) // prettier-ignore
    t.match(await world.call('GET', '/v1/deals?contacts[contains]=Dilip'), { status: 400 })
    const search = { filter: { deals: { name: { eq: 'Second' } } } }
    t.match((await done(world.call('POST', '/v1/contacts/search', search))).data, [{ id }])
    await done(world.call('DELETE', `/v1/contacts/${id}`))
    const after = await world.graphql(`{ deal(id: "${first.id}") { contacts { contactId contact { id } } } }`)
    t.same(
      after.body.data.deal.contacts[0],
      { contactId: id, contact: null },
      'in the bin the id alone stays'
    )
  })

  t.test('a deal that two contacts share tells each of them the same, once', async t => {
    const company = (await done(world.call('POST', '/v1/companies', { name: 'Shared' }))).id as string
    const ids: string[] = []
    for (const firstName of ['One', 'Two'])
      ids.push(
        (await done(world.call('POST', '/v1/contacts', { firstName, companyId: company }))).id as string
      )
    const deal = await world.deal({ contacts: ids.map(contactId => ({ contactId })) })
    const activities: string[] = []
    for (const subject of ['First', 'Second', 'Third']) {
      const body = { type: 'note', subject, dealId: deal.id as string }
      activities.unshift((await done(world.call('POST', '/v1/activities', body))).id as string)
    }
    const query = `query ($ids: [ID!]!, $first: Int) { contacts(first: 2, filter: { id: { in: $ids } }) { nodes { deals { nodes {
      activities(first: $first) { totalCount nodes { id } pageInfo { hasNextPage } }
      contacts { contact { id } } timelineEntries(kinds: [ACTIVITY]) { nodes { activity { id } } } } } } } }`
    for (const first of [2, 3, 10]) {
      const { body } = await world.graphql(query, { ids, first })
      const page = {
        totalCount: 3,
        nodes: activities.slice(0, first).map(id => ({ id })),
        pageInfo: { hasNextPage: first < 3 }
      }
      const shown = {
        activities: page,
        contacts: ids.map(id => ({ contact: { id } })),
        timelineEntries: { nodes: activities.map(id => ({ activity: { id } })) }
      }
      t.same(body.data.contacts.nodes, ids.map(() => ({ deals: { nodes: [shown] } }))) // prettier-ignore
    }
  })

  t.test('the contacts of deals are read at once, wherever the deals come from', async t => {
    const statements = new Statements(world)
    const links = names.map(name => ({ contactId: world.contact[name] }))
    const deals: string[] = []
    for (const name of ['Counted', 'Counted', 'Counted too'])
      deals.push((await world.deal({ name, contacts: links })).id as string)
    const contacts = 'contacts { contact { firstName } }'
    const count = (query: string, variables: object) =>
      statements.count(async () => t.notOk((await world.graphql(query, variables)).body.errors))

    const nodes = `query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Deal { ${contacts} } } }`
    t.equal(await count(nodes, { ids: deals.slice(0, 1) }), await count(nodes, { ids: deals }), 'nodes')
    const search = `query ($q: String!) { search(q: $q) { record { ... on Deal { ${contacts} } } } }`
    t.equal(await count(search, { q: 'Counted too' }), await count(search, { q: 'Counted' }), 'search')
    const mutation = `mutation ($input: UpdateDealInput!) { updateDeal(input: $input) { deal { ${contacts} } } }`
    const input = { id: deals[0], amount: '1', currency: 'EUR' }
    const alone = await count(mutation, { input: { ...input, contacts: links.slice(0, 1) } })
    t.equal(await count(mutation, { input: { ...input, contacts: links } }), alone, 'a mutation')
  })

  t.test('who may not read contacts does not read them through deals', async t => {
    const deal = await world.deal({ contacts: both })
    const poor = { authorization: `Bearer ${await world.newKey(['deals:read'])}` }
    const query = (part: string) =>
      world.graphql(`{ deal(id: "${deal.id}") { contacts { ${part} } } }`, {}, poor)
    t.match((await query('contact { id }')).body.errors[0].extensions, {
      code: 'forbidden',
      scope: 'contacts:read'
    })
    t.same((await query('contactId')).body.data.deal.contacts.length, 2)
  })
})
