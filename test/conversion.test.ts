import t from 'tap'
import type { Reply } from './helpers/app.js'
import { assertChain } from './helpers/chain.js'
import { capturedAt, business, desk, nobody, past, person } from './helpers/conversion.js'
import { feed } from './helpers/http.js'

type Json = Reply['body']

const { app, send, made, got, convert, captured, next, stageIds } = await desk(t)

t.test('a lead becomes company, contact and deal', async t => {
  const stages = await stageIds()

  await t.test('without a lost detail', async t => {
    const campaign = await made('campaigns', { name: 'Spring' })
    const owner = await made('users', { name: 'Sales', email: 'sales@kith.example' })
    const externalIds = [{ source: 'form', id: 'L-1' }]
    const lead = await made('leads', {
      ...person,
      ...business,
      capturedAt,
      campaignId: campaign.id,
      ownerId: owner.id,
      externalIds,
      status: 'qualified'
    })
    const reply = await convert(lead.id, {
      convertedAt: past,
      deal: { create: { name: '40 chairs', stageId: stages[0], amount: '4000', currency: 'EUR' } }
    })
    t.equal(reply.status, 200, reply.text)
    const { body } = reply
    const [company, contact, deal] = [body.company.record, body.contact.record, body.deal.record] as Json[]
    const { sourceChannel } = person
    t.match(company, {
      name: 'Acme & Sons',
      domain: 'acme.example',
      industry: 'Textiles',
      country: 'BD',
      sourceChannel,
      ownerId: owner.id
    })
    const links = { companyId: company!.id, campaignId: campaign.id, ownerId: owner.id }
    t.match(contact, { ...person, ...links, externalIds: [] }, 'external ids stay with the lead')
    t.match(deal, {
      ...links,
      sourceChannel,
      name: '40 chairs',
      amount: '4000',
      primaryContactId: contact!.id,
      leadId: lead.id,
      openedAt: past
    })
    const ids = { companyId: company!.id, contactId: contact!.id, dealId: deal!.id }
    t.match(body.lead, { ...ids, status: 'converted', convertedAt: past, version: 2, externalIds })
    t.same(
      [body.company.outcome, body.contact.outcome, body.deal.outcome, body.dryRun],
      ['created', 'created', 'created', false]
    )
    t.match(body.contact.written, { ...person, ...links })
    t.same(body.lead, await got('leads', lead.id))
    t.same(company, await got('companies', company!.id))
    t.same(contact, await got('contacts', contact!.id))
    t.same(deal, await got('deals', deal!.id))
    const history = await app.call('GET', `/v1/deals/${deal!.id}/history`)
    t.match(history.body.data, [{ at: past, stageName: 'New', amount: '4000', ownerId: owner.id }])
    const graph = await app.graphql(
      '{ lead(id: "' + lead.id + '") { contact { lastName } company { name } deal { name lead { id } } } }'
    )
    t.same(graph.body.data.lead, {
      contact: { lastName: 'Rahman' },
      company: { name: 'Acme & Sons' },
      deal: { name: '40 chairs', lead: { id: lead.id } }
    })
  })

  await t.test('what the caller gives counts instead, and null leaves out', async t => {
    const lead = await captured()
    const { body } = await convert(lead.id, {
      company: { create: { name: 'Acme Holding', employeeCount: 120 } },
      contact: {
        create: { jobTitle: null, tags: ['new'], customFields: { tier: 'silver', seats: null, more: true } }
      },
      deal: { create: { stageId: stages[0] } }
    })
    t.match(body.company.record, { name: 'Acme Holding', employeeCount: 120, domain: lead.companyDomain })
    t.match(body.contact.record, { firstName: 'Rumi', jobTitle: null, tags: ['new'] })
    t.same(body.contact.record.customFields, { tier: 'silver', more: true })
    t.equal(body.deal.record.name, lead.companyName, 'a deal without a name is called after the company')
  })

  await t.test('a deal may bring its past', async t => {
    const lead = await captured()
    const history = [
      { stageId: stages[0], at: '2026-01-01T00:00:00.000Z', amount: '10', currency: 'EUR' },
      { stageId: stages[2], at: '2026-02-01T00:00:00.000Z', amount: '20' }
    ]
    const { body } = await convert(lead.id, { deal: { create: { name: 'Old', history } }, convertedAt: past })
    t.match(body.deal.record, {
      status: 'won',
      amount: '20',
      openedAt: history[0]!.at,
      closedAt: history[1]!.at
    })
    const dealHistory = await app.call('GET', `/v1/deals/${body.deal.id}/history`)
    t.equal(dealHistory.body.data.length, 2)
  })

  await t.test('by itself: what the lead names, and no deal', async t => {
    const alone = await made('leads', { email: `solo${next()}@acme.example` })
    const first = await convert(alone.id)
    t.match(first.body, {
      company: null,
      contact: { outcome: 'created' },
      deal: null,
      lead: { dealId: null }
    })
    const firm = await made('leads', { companyName: `Firm ${next()}` })
    const second = await convert(firm.id)
    t.match(second.body, { company: { outcome: 'created' }, contact: null, lead: { contactId: null } })
    const both = await captured()
    const none = await convert(both.id, { company: null })
    t.match(none.body, { company: null, contact: { record: { companyId: null } } })
    const neither = await convert((await captured()).id, { company: null, contact: null })
    t.match(neither, { status: 422, body: { errors: [{ code: 'nothing_to_convert_to' }] } })
    const company = await made('companies', { name: 'Known' })
    const known = await captured({ companyId: company.id })
    t.match(
      (await convert(known.id)).body.company,
      { id: company.id, outcome: 'given' },
      'the one it belongs to'
    )
  })

  await t.test('the owner is the one named, else that of the lead', async t => {
    const [one, two] = [
      await made('users', { name: 'One', email: `one${next()}@kith.example` }),
      await made('users', { name: 'Two', email: `two${next()}@kith.example` })
    ]
    const lead = await captured({ ownerId: one.id })
    const { body } = await convert(lead.id, {
      ownerId: two.id,
      deal: { create: { stageId: stages[0], ownerId: one.id } }
    })
    t.same(
      [body.company, body.contact, body.deal].map(p => p.record.ownerId as string),
      [two.id, two.id, one.id]
    )
    t.equal(body.lead.ownerId, one.id)
    const unknown = await convert((await captured()).id, { ownerId: nobody })
    t.match(unknown, { status: 422, body: { code: 'unknown_reference', errors: [{ pointer: '/ownerId' }] } })
  })

  await t.test('a campaign that went to the bin since is no hindrance', async t => {
    const campaign = await made('campaigns', { name: 'Gone' })
    const lead = await captured({ campaignId: campaign.id })
    await app.call('DELETE', `/v1/campaigns/${campaign.id}`)
    t.match((await convert(lead.id)).body.contact.record, { campaignId: campaign.id })
  })
})

t.test('activities and touches go along', async t => {
  const stages = await stageIds()
  const lead = await captured()
  const other = await captured()
  const another = await made('contacts', { lastName: 'Colleague' })
  const call = await made('activities', { type: 'call', leadId: lead.id })
  const meeting = await made('activities', { type: 'meeting', leadId: lead.id, contactId: another.id })
  const binned = await made('activities', { type: 'note', leadId: lead.id })
  await app.call('DELETE', `/v1/activities/${binned.id}`)
  const foreign = await made('activities', { type: 'note', leadId: other.id })
  const touch = await made('touches', { leadId: lead.id, channel: 'ads' })
  const known = await made('touches', { leadId: lead.id, contactId: another.id, channel: 'mail' })
  const { body } = await convert(lead.id, { deal: { create: { stageId: stages[0] } } })
  t.match(body, { activities: 2, touches: 1 })
  const links = { leadId: lead.id, companyId: body.company.id, dealId: body.deal.id }
  t.match(await got('activities', call.id), { ...links, contactId: body.contact.id, version: 2 })
  t.match(
    await got('activities', meeting.id),
    { ...links, contactId: another.id },
    'only empty links are set'
  )
  t.match(await got('touches', touch.id), { leadId: lead.id, contactId: body.contact.id, version: 2 })
  t.match(await got('touches', known.id), { contactId: another.id, version: 1 })
  t.match(await got('activities', foreign.id), { version: 1, contactId: null })
  const restored = await app.call('POST', `/v1/activities/${binned.id}/restore`)
  t.match(restored.body, { ...links, contactId: body.contact.id }, 'those in the bin go along, uncounted')
  t.equal((await assertChain(t, send, 'activities', call.id)).at(-1)!.type, 'activity.updated')
  const [event] = (await assertChain(t, send, 'leads', lead.id)).slice(-1)
  t.match(event, {
    type: 'lead.converted',
    previous: { status: 'new', contactId: null, companyId: null, dealId: null, convertedAt: null }
  })
  const sameRequest = (await feed(send)).filter(e => e.requestId === event!.requestId)
  t.same(
    sameRequest.map(e => e.type as string),
    [
      'company.created',
      'contact.created',
      'deal.created',
      'activity.updated',
      'activity.updated',
      'activity.updated',
      'touch.updated',
      'lead.converted'
    ],
    'one event for each record touched'
  )
  const changes = await app.call('GET', `/v1/leads/${lead.id}/changes`)
  const told = (changes.body.data[0].fields as Json[]).map(f => f.field as string).sort()
  t.same(told, ['companyId', 'contactId', 'convertedAt', 'dealId', 'status'])
})
