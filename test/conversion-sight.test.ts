import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import type { Reply } from './helpers/app.js'
import { desk } from './helpers/conversion.js'
import { as, identity } from './helpers/identity.js'

type Json = Reply['body']

const { app, send, made, got, convert, captured, stageIds } = await desk(t)
const { newUser, tokenOf } = identity(app)

t.test('a conversion counts what the caller sees, and takes all along', async t => {
  const rep = await newUser('rep')
  const header = as(tokenOf(rep))
  const rival = await newUser('rep')
  const lead = await captured({ ownerId: rep.id })
  const about = { type: 'note', leadId: lead.id }
  const mine = await made('activities', { ...about, ownerId: rep.id })
  const hidden = [
    await made('activities', { ...about, ownerId: rival.id }),
    await made('activities', { ...about, ownerId: null })
  ]
  await made('touches', { leadId: lead.id, channel: 'ads' })
  for (const dryRun of [true, false]) {
    t.match((await convert(lead.id, { dryRun }, header)).body, { activities: 1, touches: 1 })
  }
  for (const { id } of [mine, ...hidden]) t.type((await got('activities', id)).contactId, 'string')

  const other = await captured()
  await made('activities', { ...about, leadId: other.id })
  await made('touches', { leadId: other.id, channel: 'ads' })
  const scopes = ['leads:write', 'companies:write', 'contacts:write', 'touches:read']
  const key = as(await app.newKey(scopes))
  t.match((await convert(other.id, {}, key)).body, { activities: null, touches: 1 })
})

t.test('more than one portion goes along', async t => {
  const lead = await captured()
  const body = { type: 'note', leadId: lead.id }
  const operations = Array.from({ length: 1000 }, () => ({ op: 'create', body }))
  await app.call('POST', '/v1/activities/batch', { operations })
  await made('activities', body)
  t.match((await convert(lead.id)).body, { activities: 1001 })
  const { page } = (
    await app.call('GET', `/v1/activities?leadId=${lead.id}&contactId[isNull]=true&count=true`)
  ).body
  t.equal(page.totalCount, 0)
})

t.test('a lead is converted though its owner has left', async t => {
  const [stageId] = await stageIds()
  for (const leave of [
    (id: string) => app.call('DELETE', `/v1/users/${id}`),
    (id: string) => app.call('PATCH', `/v1/users/${id}`, { active: false })
  ]) {
    const owner = await newUser('rep')
    const lead = await captured({ ownerId: owner.id })
    await leave(owner.id)
    const { status, body, text } = await convert(lead.id, { deal: { create: { stageId } } })
    t.equal(status, 200, text)
    for (const part of ['company', 'contact', 'deal']) t.equal(body[part].record.ownerId, owner.id, part)
    const history = await app.call('GET', `/v1/deals/${body.deal.id}/history`)
    t.match(history.body.data, [{ ownerId: owner.id }])
  }
  const gone = await newUser('rep')
  await app.call('DELETE', `/v1/users/${gone.id}`)
  t.match(await convert((await captured()).id, { ownerId: gone.id }), {
    status: 422,
    body: { errors: [{ pointer: '/ownerId', code: 'unknown_reference' }] }
  })
})

t.test('a second lead of a deal adds its contact', async t => {
  const [stageId] = await stageIds()
  const first = await convert((await captured()).id, { deal: { create: { stageId } } })
  const deal = { id: first.body.deal.id as string }
  const second = await convert((await captured()).id, { deal, company: null })
  const people = [first, second].map(r => ({ contactId: r.body.contact.id as string, role: null }))
  t.match(second.body.deal.written, { contacts: people })
  t.match(await got('deals', deal.id), { contacts: people, primaryContactId: people[0]!.contactId })
  const filter = `/v1/contacts/${people[1]!.contactId}/timeline`
  t.ok((await app.call('GET', filter)).body.data.length > 0)
  const again = await convert((await captured()).id, { deal, contact: { id: people[1]!.contactId } })
  t.equal(again.body.deal.written.contacts, undefined, 'who is there is not added twice')
})

t.test('what is told of a lead after its conversion is told of what it became', async t => {
  const [stageId] = await stageIds()
  const lead = await captured()
  const { body } = await convert(lead.id, { deal: { create: { stageId } } })
  const contactId = body.contact.id as string
  const links = { contactId, companyId: body.company.id as string, dealId: body.deal.id as string }
  const note = { type: 'note', leadId: lead.id }
  t.match(await made('activities', note), links)
  const colleague = await made('contacts', { lastName: 'Colleague' })
  t.match(await made('activities', { ...note, contactId: colleague.id }), {
    ...links,
    contactId: colleague.id
  })
  t.match(await made('touches', { leadId: lead.id, channel: 'ads' }), { contactId })
  const free = await made('activities', { type: 'note' })
  const moved = await app.call('PATCH', `/v1/activities/${free.id}`, { leadId: lead.id })
  t.match(moved.body, { ...links, version: 2 })
  const cleared = await app.call('PATCH', `/v1/activities/${free.id}`, { dealId: null })
  t.match(cleared.body, { dealId: null, version: 3 })
  const same = await app.call('PATCH', `/v1/activities/${free.id}`, { leadId: lead.id })
  t.match(same.body, { dealId: null, version: 3 }, 'the same lead again changes nothing')
  const operations = [{ op: 'create', body: note }]
  const batch = await app.call('POST', '/v1/activities/batch', { operations })
  t.match(await got('activities', batch.body.results[0].id), links)
  const timeline = await app.call('GET', `/v1/contacts/${contactId}/timeline?limit=200`)
  t.equal((timeline.body.data as Json[]).filter(e => e.kind === 'activity').length, 3)
})

t.test('what is told of a lead while it is converted waits, and is told of what it became', async t => {
  const lead = await captured()
  const contact = await made('contacts', { lastName: 'Rahman' })
  const client = new pg.Client({ connectionString: app.url })
  await client.connect()
  await client.query('begin')
  const ids = [app.workspaceId, lead.id]
  await client.query('select from leads where workspace_id = $1 and id = $2 for update', ids)
  const telling = [
    send('POST', '/v1/activities', { type: 'note', leadId: lead.id }),
    send('POST', '/v1/touches', { leadId: lead.id, channel: 'ads' })
  ]
  await sleep(200)
  await client.query(
    `update leads set status = 'converted', converted_at = now(), contact_id = $3 where workspace_id = $1 and id = $2`,
    [...ids, contact.id]
  )
  await client.query('commit')
  await client.end()
  for (const answer of await Promise.all(telling)) {
    t.match(answer, { status: 201, body: { contactId: contact.id } })
  }
})
