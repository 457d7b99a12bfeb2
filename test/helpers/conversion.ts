import type { Test } from 'tap'
import { testApp, type Reply, type TestApp } from './app.js'
import { execute } from './database.js'
import { sender, type Send } from './http.js'

type Json = Reply['body']

export const nobody = '018f0000-0000-7000-8000-000000000000'
export const past = '2026-02-03T04:05:06.789Z'

/** What is known of a lead's person. */
export const person = {
  firstName: 'Rumi',
  lastName: 'Rahman',
  email: 'Rumi@Acme.example',
  phone: '+8801712345678',
  jobTitle: 'Head of purchasing',
  country: 'BD',
  language: 'bn',
  sourceChannel: 'webinar',
  tags: ['ভিআইপি', 'vip'],
  customFields: { tier: 'gold', seats: 12 }
}

/** What is known of a lead's company. */
export const business = { companyName: 'Acme & Sons', companyDomain: 'acme.example', industry: 'Textiles' }

/** How many rows every table has. */
async function rowCounts(url: string): Promise<Record<string, number>> {
  const { rows } = await execute(
    url,
    `select relname as name, (xpath('/row/n/text()', query_to_xml(format('select count(*) as n from public.%I', relname),
       false, true, '')))[1]::text::int as n
     from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r'`
  )
  return Object.fromEntries(rows.map(r => [String(r.name), Number(r.n)]))
}

/** Every record that a conversion could touch, by kind. */
async function records(call: TestApp['call']): Promise<Json> {
  const plurals = ['leads', 'companies', 'contacts', 'deals', 'activities', 'touches']
  const pages = await Promise.all(plurals.map(p => call('GET', `/v1/${p}?limit=200&sort=createdAt`)))
  return Object.fromEntries(plurals.map((p, i) => [p, pages[i]!.body.data as Json[]]))
}

export interface Desk {
  app: TestApp
  /** Sends over connections of their own. */
  send: Send
  made(plural: string, body: object): Promise<Json>
  got(plural: string, id: unknown): Promise<Json>
  convert(id: unknown, body?: object, headers?: Record<string, string>): Promise<Reply>
  /** A lead whose company and e-mail no other lead has. */
  captured(more?: object): Promise<Json>
  /** A number that was not given before. */
  next(): number
  /** The stages of a new pipeline: two open ones and a won one. */
  stageIds(): Promise<string[]>
  /** All that a call could have written. */
  stored(): Promise<{ counts: Record<string, number>; records: Json }>
}

/** The program with what it takes to convert leads. */
export async function desk(t: Test): Promise<Desk> {
  const app = await testApp(t)
  const send = sender(await app.app.listen({ host: '127.0.0.1', port: 0 }), app.key)
  let n = 0
  const made = async (plural: string, body: object) => {
    const reply = await app.call('POST', `/v1/${plural}`, body)
    if (reply.status !== 201) throw new Error(reply.text)
    return reply.body
  }
  return {
    app,
    send,
    made,
    got: async (plural, id) => (await app.call('GET', `/v1/${plural}/${String(id)}`)).body,
    convert: (id, body = {}, headers) => app.call('POST', `/v1/leads/${String(id)}/convert`, body, headers),
    captured(more = {}) {
      n++
      const email = `rumi@acme${n}.example`
      const company = { companyName: `Acme ${n}`, companyDomain: `acme${n}.example` }
      return made('leads', { ...person, ...business, email, ...company, ...more })
    },
    next: () => ++n,
    async stageIds() {
      const stages = [{ name: 'New' }, { name: 'Offer' }, { name: 'Won', kind: 'won' }]
      const pipeline = await made('pipelines', { name: 'Sales', stages })
      const { body } = await app.call('GET', `/v1/stages?pipelineId=${pipeline.id}&sort=position`)
      return (body.data as Json[]).map(s => s.id as string)
    },
    stored: async () => ({ counts: await rowCounts(app.url), records: await records(app.call) })
  }
}
