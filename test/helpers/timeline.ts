import type { TestApp } from './app.js'

export interface Entry extends Record<string, unknown> {
  id: string
  kind: string
  at: string
}

export interface Page {
  data: Entry[]
  page: { hasMore: boolean; nextCursor: string | null }
}

export const day = (n: number) => new Date(Date.UTC(2025, 0, n, 12)).toISOString()

/** A contact at a company, with a deal that moved, a lead that was converted, activities, stages and changes. */
export async function story({ call }: TestApp) {
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
  await call('PATCH', `/v1/contacts/${contact}`, { jobTitle: 'Buyer' })
  return { make, stage, company, contact, deal, lead, calls, visit }
}

/** Reads a page of a timeline; throws where there is none. */
export const reader =
  ({ call }: TestApp) =>
  async (path: string, query = '', headers = {}): Promise<Page> => {
    const answer = await call('GET', `/v1/${path}/timeline?${query}`, undefined, headers)
    if (answer.status !== 200) throw new Error(answer.text)
    return answer.body as Page
  }
