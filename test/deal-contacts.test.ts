import t from 'tap'
import { execute } from './helpers/database.js'
import { names, newWorld } from './helpers/deal-contacts.js'
import { done } from './helpers/funnel.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

/** Whether the rows of the contacts are what the deals have. */
async function agrees(url: string): Promise<boolean> {
  const differing = `
    select d.id, c."contactId" as contact_id, c.role
    from deals d cross join lateral jsonb_to_recordset(d.contacts) as c("contactId" uuid, role text)`
  const stored = 'select deal_id, contact_id, role from deal_contacts'
  const statement = `((${differing}) except (${stored})) union all ((${stored}) except (${differing}))`
  return (await execute(url, statement)).rows.length === 0
}

const people = ({ contacts, primaryContactId }: Json) => ({
  contacts: (contacts as Json[]).map(c => [c.contactId, c.role]),
  primaryContactId: primaryContactId as unknown
})

t.test('contacts of a deal', async t => {
  const world = await newWorld(t)
  const patch = (id: unknown, body: object) => done(world.call('PATCH', `/v1/deals/${String(id)}`, body))
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
    t.ok(await agrees(world.url))
  })

  t.test('a list is replaced whole; a primary contact left out of it is none any more', async t => {
    const deal = await world.deal({ contacts: both, primaryContactId: amina })
    const other = await patch(deal.id, { primaryContactId: chandra })
    t.same(people(other), {
      contacts: [[amina, 'champion'], [babul, null], [chandra, null]], // prettier-ignore
      primaryContactId: chandra
    })
    const kept = await patch(deal.id, { contacts: [{ contactId: chandra, role: 'user' }] })
    t.same(people(kept), { contacts: [[chandra, 'user']], primaryContactId: chandra })
    const gone = await patch(deal.id, { contacts: both })
    t.equal(gone.primaryContactId, null)
    const named = await patch(deal.id, { contacts: [], primaryContactId: babul })
    t.same(people(named), { contacts: [[babul, null]], primaryContactId: babul })
    const none = await patch(deal.id, { primaryContactId: null })
    t.same(people(none), { contacts: [[babul, null]], primaryContactId: null }, 'still a contact')
    t.equal(none.version, 6)
    const changes = (await done(world.call('GET', `/v1/deals/${deal.id}/changes`))).data as Json[]
    t.same(changes[0]!.fields, [{ field: 'primaryContactId', from: babul, to: null }])
    t.ok(await agrees(world.url))
  })

  t.test('what is there already changes nothing', async t => {
    const deal = await world.deal({ contacts: both, primaryContactId: amina })
    for (const body of [
      { contacts: both },
      { primaryContactId: amina },
      { contacts: both, primaryContactId: amina }
    ])
      t.same(await patch(deal.id, body), deal)
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
    t.ok(await agrees(world.url))
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
    t.match(await patch(deal.id, { primaryContactId: contacts[100]!.contactId }), { version: 2 })
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
      await Promise.all(bodies.map(body => patch(deal.id, body)))
      const { contacts, primaryContactId } = await done(world.call('GET', `/v1/deals/${deal.id}`))
      const ids = (contacts as Json[]).map(c => c.contactId as string)
      t.ok(primaryContactId === null || ids.includes(primaryContactId as string))
      t.equal(new Set(ids).size, ids.length)
    }
    t.ok(await agrees(world.url))
  })
})
