import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import t from 'tap'
import { newId } from '../src/kernel/write.js'
import type { Reply } from './helpers/app.js'
import { desk, nobody, past } from './helpers/conversion.js'
import { feed, statuses, times } from './helpers/http.js'

type Json = Reply['body']

const { app, send, made, got, convert, captured, next, stageIds, stored } = await desk(t)

/** A conversion without what differs between two that do the same. */
function alike(conversion: Json, made: readonly string[]): unknown {
  const timed = /At$|^id$|^version$|^dryRun$/
  return JSON.parse(
    JSON.stringify(conversion, (key, v: unknown) =>
      key === 'record' || timed.test(key) || made.includes(v as string) ? null : v
    )
  )
}

t.test('a dry run', async t => {
  const stages = await stageIds()
  const setups: [string, (lead: Json) => Promise<object>][] = [
    ['makes', async () => ({ deal: { create: { stageId: stages[0], amount: '5', currency: 'EUR' } } })],
    [
      'links',
      async lead => {
        await made('contacts', { email: lead.email })
        const deal = await made('deals', { name: 'Deal', stageId: stages[0] })
        return { company: { create: {} }, contact: { match: true }, deal: { id: deal.id } }
      }
    ]
  ]
  for (const [name, setup] of setups) {
    await t.test(`that ${name} answers what the real call does, and writes nothing`, async t => {
      const lead = await captured()
      await made('activities', { type: 'call', leadId: lead.id })
      await made('touches', { leadId: lead.id, channel: 'ads' })
      const input = await setup(lead)
      await feed(send)
      const before = await stored()
      const key = { 'idempotency-key': `dry-${name}` }
      const dry = await convert(lead.id, { ...input, dryRun: true }, key)
      t.equal(dry.status, 200, dry.text)
      t.same(await stored(), before, 'no row anywhere is new, none differs, and the key is free')
      const real = await convert(lead.id, { ...input, dryRun: false }, key)
      t.equal(real.status, 200, real.text)
      const parts = ['company', 'contact', 'deal'] as const
      const created = parts.map(p => real.body[p] as Json).filter(p => p.outcome === 'created').map(p => p.id as string) // prettier-ignore
      t.ok(created.length > 0)
      for (const part of parts) {
        const isNew = real.body[part].outcome === 'created'
        if (isNew) t.match(dry.body[part], { id: null, record: null }, `no id of a ${part} is promised`)
        else t.equal(dry.body[part].id, real.body[part].id)
      }
      t.same(alike(dry.body, created), alike(real.body, created))
      t.equal(dry.body.dryRun, true)
      t.match(dry.body.lead, { status: 'converted', version: 2, convertedAt: /Z$/ })
      t.match(real.body, { activities: 1, touches: 1 })
      const events = await feed(send)
      const sequences = events.map(e => Number(e.sequence))
      t.same(sequences, sequences.map((_, i) => i + 1), 'the sequence has no gap') // prettier-ignore
    })
  }

  await t.test('fails as the real call does', async t => {
    const lead = await captured({ status: 'unqualified' })
    const [dry, real] = [await convert(lead.id, { dryRun: true }), await convert(lead.id)]
    t.same([dry.status, dry.body.errors], [real.status, real.body.errors])
    t.equal(dry.status, 422)
  })
})

t.test('what cannot be converted', async t => {
  const stages = await stageIds()
  const lead = await captured()
  const soon = new Date(Date.now() + 60_000).toISOString()
  const deal = (create: object) => ({ deal: { create } })
  const fails: [object, number, string, string][] = [
    [{ convertedAt: soon }, 422, '/convertedAt', 'future'],
    [{ company: { id: nobody } }, 422, '/company/id', 'unknown_reference'],
    [{ contact: { id: nobody } }, 422, '/contact/id', 'unknown_reference'],
    [{ deal: { id: nobody } }, 422, '/deal/id', 'unknown_reference'],
    [{ ownerId: nobody }, 422, '/ownerId', 'unknown_reference'],
    [deal({ stageId: nobody }), 422, '/deal/create/stageId', 'unknown_reference'],
    [deal({ name: 'X' }), 400, '/deal/create/stageId', 'required'],
    [deal({ stageId: stages[0], openedAt: soon }), 422, '/deal/create/openedAt', 'future'],
    [deal({ stageId: stages[0], campaignId: nobody }), 422, '/deal/create/campaignId', 'unknown_reference'],
    [{ contact: { match: true, id: nobody } }, 400, '/contact', 'maxProperties'],
    [{ contact: {} }, 400, '/contact', 'minProperties'],
    [{ contact: { match: false } }, 400, '/contact/match', 'const'],
    [{ contact: { create: { firstname: 'X' } } }, 400, '/contact/create/firstname', 'unknown_field'],
    [{ contact: { create: { companyId: nobody } } }, 400, '/contact/create/companyId', 'unknown_field'],
    [{ deal: null }, 400, '/deal', 'type'],
    [{ company: null, contact: null }, 422, '', 'nothing_to_convert_to']
  ]
  const foreign = await app.newKey(['admin'], await app.newWorkspace('another'))
  const asForeign = { authorization: `Bearer ${foreign}` }
  const before = await stored()
  for (const [body, status, pointer, code] of fails) {
    t.match(
      await convert(lead.id, body),
      { status, body: { errors: [{ pointer, code }] } },
      `${pointer} ${code}`
    )
  }
  t.equal((await convert(lead.id, {}, asForeign)).status, 404, 'of another workspace')
  t.equal((await convert(nobody)).status, 404)
  t.match(await convert(lead.id, {}, { 'if-match': '"7"' }), { status: 412, body: { currentVersion: 1 } })
  t.same(await stored(), before, 'and nothing is written')
  const binned = await captured()
  await app.call('DELETE', `/v1/leads/${binned.id}`)
  t.equal((await convert(binned.id)).status, 404, 'in the bin')
  const given = await captured({ status: 'unqualified' })
  t.match(await convert(given.id), {
    status: 422,
    body: { allowed: ['working', 'nurturing'], errors: [{ code: 'wrong_transition' }] }
  })
  const nameless = await made('leads', { email: `x${next()}@nameless.example` })
  t.match(await convert(nameless.id, { company: { create: {} } }), {
    status: 422,
    body: { errors: [{ pointer: '/company/create/name', code: 'required' }] }
  })
})

t.test('a lead is converted once', async t => {
  await t.test('a second time is told of the first', async t => {
    const lead = await captured()
    const first = await convert(lead.id, { convertedAt: past })
    const { contactId, companyId, dealId } = first.body.lead as Json
    const conversion = { contactId, companyId, dealId, convertedAt: past }
    for (const headers of [{}, { 'if-match': '"1"' }] as Record<string, string>[]) {
      const again = await convert(lead.id, {}, headers)
      t.match(again, { status: 409, body: { code: 'already_converted', conversion } })
    }
    t.equal((await convert(lead.id, { dryRun: true })).status, 409)
    const imported = await captured({ status: 'converted', convertedAt: past })
    t.match(await convert(imported.id), { status: 409, body: { conversion: { contactId: null } } })
  })

  await t.test('of several at once exactly one wins', async t => {
    for (let round = 0; round < 15; round++) {
      const lead = await captured()
      const answers = await times(5, i =>
        send('POST', `/v1/leads/${lead.id}/convert`, i % 2 ? { contact: { match: true } } : {})
      )
      t.same(statuses(answers), { 200: 1, 409: 4 })
      const won = answers.find(a => a.status === 200)!.body
      const lost = answers.filter(a => a.status === 409).map(a => a.body.conversion.contactId as string)
      t.same([...new Set(lost)], [won.contact.id], 'the others are told of it')
      const { body } = await app.call('GET', `/v1/contacts?email=${lead.email}&count=true`)
      t.equal(body.page.totalCount, 1)
    }
  })

  await t.test('a change of the lead at the same time comes before or after, not between', async t => {
    for (let round = 0; round < 15; round++) {
      const lead = await captured({ status: 'qualified' })
      const [converted, given] = await Promise.all([
        send('POST', `/v1/leads/${lead.id}/convert`, {}),
        send('PATCH', `/v1/leads/${lead.id}`, { status: 'unqualified' })
      ])
      const pair = `${converted.status} ${given.status}`
      t.ok(['200 422', '422 200'].includes(pair), pair)
      const { status } = await got('leads', lead.id)
      t.equal(status, converted.status === 200 ? 'converted' : 'unqualified')
    }
  })

  await t.test('an activity that is being stored meanwhile is waited for, and goes along', async t => {
    const lead = await captured()
    const client = new pg.Client({ connectionString: app.url })
    await client.connect()
    await client.query('begin')
    const id = newId()
    await client.query(
      `insert into activities (workspace_id, id, created_at, updated_at, type, lead_id, completed_at)
       values ($1, $2, now(), now(), 'note', $3, now())`,
      [app.workspaceId, id, lead.id]
    )
    let answered = false
    const converting = send('POST', `/v1/leads/${lead.id}/convert`, {}).finally(() => (answered = true))
    await sleep(200)
    t.notOk(answered, 'the conversion waits')
    await client.query('commit')
    await client.end()
    t.match(await converting, { status: 200, body: { activities: 1 } })
    t.type((await got('activities', id)).contactId, 'string')
  })

  await t.test('a retry with its Idempotency-Key is answered the same', async t => {
    const lead = await captured()
    const key = { 'idempotency-key': 'convert-once' }
    const [first, again] = [await convert(lead.id, {}, key), await convert(lead.id, {}, key)]
    t.same([again.status, again.text], [200, first.text])
    t.equal(again.headers['idempotency-replayed'], 'true')
    t.equal((await convert(lead.id, { company: null }, key)).status, 422)
  })
})

t.test('scopes', async t => {
  const lead = await captured()
  const all = [
    'leads:write',
    'companies:write',
    'contacts:write',
    'deals:write',
    'contacts:read',
    'companies:read'
  ]
  const deal = { create: { stageId: nobody } }
  const cases: [object, string][] = [
    [{}, 'leads:write'],
    [{ contact: null }, 'companies:write'],
    [{ company: null }, 'contacts:write'],
    [{ company: null, contact: null, deal }, 'deals:write'],
    [{ company: { match: true } }, 'companies:read'],
    [{ contact: { match: true } }, 'contacts:read']
  ]
  for (const [body, scope] of cases) {
    const key = await app.newKey(all.filter(s => s !== scope))
    const headers = { authorization: `Bearer ${key}` }
    for (const id of [lead.id, nobody]) {
      t.match(await convert(id, body, headers), { status: 403, body: { scope } }, `${scope} is needed`)
    }
  }
  const key = await app.newKey(['leads:write', 'contacts:write'])
  const enough = await convert(lead.id, { company: null }, { authorization: `Bearer ${key}` })
  t.equal(enough.status, 200, 'no scope is needed for what is not touched')
  const stages = await stageIds()
  const dealt = await convert((await captured()).id, { deal: { create: { stageId: stages[0] } } })
  const dealsOnly = { authorization: `Bearer ${await app.newKey(['deals:read'])}` }
  const query = `{ deal(id: "${dealt.body.deal.id}") { lead { id } } }`
  const followed = await app.graphql(query, {}, dealsOnly)
  t.match(
    followed.body.errors[0].extensions,
    { code: 'forbidden', scope: 'leads:read' },
    'nor is its lead shown'
  )
  const poor = await app.newKey(['leads:write'])
  const once = { 'idempotency-key': 'scoped', authorization: `Bearer ${key}` }
  const other = await captured()
  t.equal((await convert(other.id, { company: null }, once)).status, 200)
  const refused = await convert(other.id, { company: null }, { ...once, authorization: `Bearer ${poor}` })
  t.equal(refused.status, 403)
})

t.test('GraphQL converts alike', async t => {
  const stages = await stageIds()
  const part = 'id outcome written'
  const mutation = `mutation($input: ConvertLeadInput!) {
    convertLead(input: $input) {
      dryRun activities touches lead { id status contact { id } }
      company { ${part} record { id name } }
      contact { ${part} record { id lastName company { name } } }
      deal { ${part} record { id name lead { id } primaryContact { lastName } } }
    }
  }`
  const lead = await captured()
  const input = { id: lead.id, company: { match: true }, deal: { create: { name: 'D', stageId: stages[0] } } }
  const dry = await app.graphql(mutation, { input: { ...input, dryRun: true } })
  t.match(dry.body.data?.convertLead, {
    dryRun: true,
    lead: { status: 'CONVERTED', contact: null },
    company: { id: null, outcome: 'CREATED', record: null },
    contact: { id: null, written: { lastName: 'Rahman' }, record: null }
  })
  const headers = { 'idempotency-key': 'graph-convert' }
  const real = await app.graphql(mutation, { input }, headers)
  t.notOk(real.body.errors, real.text)
  t.match(real.body.data.convertLead, {
    lead: { id: lead.id, status: 'CONVERTED' },
    company: { outcome: 'CREATED', record: { name: lead.companyName } },
    contact: { record: { lastName: 'Rahman', company: { name: lead.companyName } } },
    deal: { record: { name: 'D', lead: { id: lead.id }, primaryContact: { lastName: 'Rahman' } } }
  })
  const replayed = await app.graphql(mutation, { input }, headers)
  t.same(replayed.body, real.body, 'a replay answers the same')
  const again = await app.graphql(mutation, { input })
  t.match(again.body.errors[0].extensions, {
    code: 'already_converted',
    status: 409,
    conversion: { contactId: real.body.data.convertLead.contact.id as string }
  })
  const wrong = await app.graphql(mutation, { input: { id: lead.id, contact: { id: nobody, match: true } } })
  t.match(wrong.body.errors[0].extensions, { code: 'invalid_input', errors: [{ pointer: '/contact' }] })
  const stale = await app.graphql(mutation, { input: { id: (await captured()).id, expectedVersion: 9 } })
  t.equal(stale.body.errors[0].extensions.code, 'version_mismatch')
})
