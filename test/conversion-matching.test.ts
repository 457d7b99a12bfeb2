import t from 'tap'
import type { Reply } from './helpers/app.js'
import { desk, person } from './helpers/conversion.js'
import { feed, statuses } from './helpers/http.js'

type Json = Reply['body']

const { app, send, made, got, convert, captured, next, stageIds, stored } = await desk(t)

t.test('records that are there', async t => {
  const stages = await stageIds()

  await t.test('given by id: only what is empty is filled, and the answer says what', async t => {
    const company = await made('companies', { name: 'Acme Ltd', industry: 'Furniture' })
    const contact = await made('contacts', {
      lastName: 'R.',
      email: 'other@acme.example',
      tags: ['kept'],
      customFields: { tier: 'bronze' }
    })
    const deal = await made('deals', { name: 'Open', stageId: stages[1], sourceChannel: 'fair' })
    const lead = await captured()
    const { body } = await convert(lead.id, {
      company: { id: company.id.toUpperCase() },
      contact: { id: contact.id },
      deal: { id: deal.id }
    })
    t.same(Object.keys(body.company.written).sort(), ['country', 'domain'])
    t.match(body.company, {
      outcome: 'given',
      record: { name: 'Acme Ltd', industry: 'Furniture', version: 2 }
    })
    const { firstName, phone, jobTitle, country, language, sourceChannel } = person
    t.same(body.contact.written, {
      firstName,
      phone,
      jobTitle,
      country,
      language,
      sourceChannel,
      companyId: company.id,
      customFields: { seats: 12 }
    })
    t.match(body.contact.record, { lastName: 'R.', email: 'other@acme.example', tags: ['kept'] })
    t.same(body.contact.record.customFields, { tier: 'bronze', seats: 12 })
    t.same(body.deal.written, { companyId: company.id, primaryContactId: contact.id, leadId: lead.id })
    t.match(body.deal.record, { sourceChannel: 'fair', stageId: stages[1] })
    const types = async (id: unknown) =>
      (await feed(send, `&recordId=${String(id)}`)).map(e => e.type as string)
    t.same(await types(company.id), ['company.created', 'company.updated'])
    t.same(await types(contact.id), ['contact.created', 'contact.updated'])
    t.same(await types(deal.id), ['deal.created', 'deal.updated'])
    const second = await captured()
    const again = await convert(second.id, {
      company: { id: company.id },
      contact: null,
      deal: { id: deal.id }
    })
    t.match(again.body.company, { written: {}, record: { version: 2 } })
    t.equal((await got('deals', deal.id)).leadId, lead.id, 'the first lead counts')
    t.same(again.body.deal.written, {})
    t.equal((await types(company.id)).length, 2, 'nothing filled, no event')
  })

  await t.test('matched by e-mail, by domain, by name; made where there is none', async t => {
    const lead = await captured()
    const contact = await made('contacts', { email: lead.email.toUpperCase() })
    const company = await made('companies', { name: 'Quite another', domain: lead.companyDomain })
    const match = { company: { match: true }, contact: { match: true } }
    const matched = await convert(lead.id, match)
    t.match(matched.body, {
      company: { id: company.id, outcome: 'matched' },
      contact: { id: contact.id, outcome: 'matched', record: { lastName: 'Rahman', companyId: company.id } }
    })
    const domain = `mail${next()}.example`
    const byMail = await captured({ companyDomain: null, email: `x@${domain}` })
    const theirs = await made('companies', { name: 'Mail', domain })
    t.equal((await convert(byMail.id, match)).body.company.id, theirs.id, "by the e-mail's domain")
    const byName = await captured({ email: null, companyDomain: null })
    const named = await made('companies', { name: byName.companyName.toUpperCase() })
    t.match((await convert(byName.id, match)).body, {
      company: { id: named.id, outcome: 'matched' },
      contact: { outcome: 'created' }
    })
    const other = await captured()
    await made('companies', { name: other.companyName, domain: `not-${other.companyDomain}` })
    t.equal((await convert(other.id, match)).body.company.outcome, 'created', 'of that name, elsewhere')
    const neither = await made('leads', { email: `y@nowhere${next()}.example` })
    t.match((await convert(neither.id, match)).body, { company: null, contact: { outcome: 'created' } })
  })

  await t.test("a mailbox provider is nobody's company", async t => {
    await made('companies', { name: 'Google', domain: 'gmail.com' })
    for (const email of ['someone@gmail.com', 'Someone@GoogleMail.com', 'jemand@web.de']) {
      await made('companies', { name: `Provider ${next()}`, domain: email.split('@')[1]!.toLowerCase() })
      const lead = await made('leads', { email, companyName: `Hairdresser ${next()}` })
      const { body } = await convert(lead.id, { company: { match: true } })
      t.match(body.company, { outcome: 'created', record: { name: lead.companyName, domain: null } }, email)
    }
  })

  await t.test('several that match: a 409 names them, an id chooses', async t => {
    const lead = await captured()
    const twins = [
      await made('contacts', { email: lead.email }),
      await made('contacts', { email: lead.email }),
      await made('contacts', { email: lead.email })
    ].map(c => c.id as string)
    await app.call('DELETE', `/v1/contacts/${twins[2]}`)
    const before = await stored()
    const reply = await convert(lead.id, { contact: { match: true } })
    t.match(reply, {
      status: 409,
      body: { code: 'ambiguous_match', errors: [{ pointer: '/contact/match', code: 'ambiguous' }] }
    })
    const candidates = reply.body.candidates as Json[]
    t.same(candidates.map(c => c.id as string).sort(), twins.slice(0, 2).sort()) // prettier-ignore
    t.same(candidates[0]!.resource, 'contact')
    t.same(await stored(), before, 'the company was not made either')
    const chosen = await convert(lead.id, { contact: { id: twins[1] } })
    t.match(chosen.body.contact, { id: twins[1], outcome: 'given' })
    const firm = await captured()
    for (const name of ['A', 'B']) await made('companies', { name, domain: firm.companyDomain })
    const domains = await convert(firm.id, { company: { match: true } })
    t.match(domains, {
      status: 409,
      body: { candidates: [{ resource: 'company' }, { resource: 'company' }] }
    })
  })

  await t.test('two leads of one person at once match one contact and one company', async t => {
    for (let round = 0; round < 10; round++) {
      const one = await captured()
      const same = { email: one.email, companyName: one.companyName, companyDomain: one.companyDomain }
      const two = await made('leads', same)
      const three = await made('leads', { ...same, companyDomain: null })
      const match = { company: { match: true }, contact: { match: true } }
      const answers = await Promise.all(
        [one, two, three].map(l => send('POST', `/v1/leads/${l.id}/convert`, match))
      )
      t.same(statuses(answers), { 200: 3 })
      t.equal(new Set(answers.map(a => a.body.contact.id as string)).size, 1)
      t.equal(new Set(answers.map(a => a.body.company.id as string)).size, 1)
    }
  })
})
