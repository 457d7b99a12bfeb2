import t from 'tap'
import { Statements } from './conformance/statements.js'
import { names, newWorld } from './helpers/deal-contacts.js'
import { done } from './helpers/funnel.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

t.test('contacts of deals are read', async t => {
  const world = await newWorld(t)
  const { Amina: amina, Babul: babul } = world.contact
  const both = [
    { contactId: amina, role: 'champion' },
    { contactId: babul, role: null }
  ]

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
