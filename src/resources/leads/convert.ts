import { databaseNow, refuseFuture } from '../../kernel/clock.js'
import type { TransactionContext } from '../../kernel/context.js'
import { dryRun } from '../../kernel/dry-run.js'
import { KithError, notFound } from '../../kernel/errors.js'
import { operation, value } from '../../kernel/operation.js'
import { lockRecords } from '../../kernel/read.js'
import { byId } from '../../kernel/standard-schemas.js'
import { changeRecords } from '../../kernel/write.js'
import { checkReferences, settled } from '../../kernel/writer.js'
import { companies } from '../companies/resource.js'
import { contacts } from '../contacts/resource.js'
import { deals } from '../deals/resource.js'
import { takeAlong, type Became } from './convert-along.js'
import type { Made } from './convert-parts.js'
import { companyOf, contactOf, dealOf, type LeadRow, type Source } from './convert-records.js'
import { convertBody, convertResult, type Conversion, type ConvertInput } from './convert-schemas.js'
import { leads } from './resource.js'
import { mayFollow } from './status.js'

// Locked against what refers to it, so that no activity comes in unseen while others are taken along.
async function lockLead(ctx: TransactionContext, id: string): Promise<LeadRow> {
  const lead = (await lockRecords(ctx, leads, [id], 'update')).get(id.toLowerCase())
  if (!lead) throw notFound('lead')
  return lead as LeadRow
}

function refuseConversion(lead: LeadRow, expectedVersion: number | undefined): void {
  if (lead.status === 'converted') {
    const { contactId, companyId, dealId, convertedAt } = lead
    throw new KithError('already_converted', `The lead was converted at ${String(convertedAt)}.`, {
      extra: { conversion: { contactId, companyId, dealId, convertedAt } }
    })
  }
  if (expectedVersion !== undefined) settled(leads, versioned(lead, expectedVersion))
  if (lead.status !== 'unqualified') return
  const message = `An unqualified lead is taken up again before it is converted: make it ${mayFollow.unqualified.join(' or ')}.`
  throw new KithError('unprocessable', message, {
    errors: [{ in: 'path', parameter: 'id', code: 'wrong_transition', message }],
    extra: { allowed: mayFollow.unqualified }
  })
}

const versioned = (lead: LeadRow, expected: number) =>
  ({ outcome: lead.version === expected ? 'unchanged' : 'stale', record: lead }) as const

async function sourceOf(ctx: TransactionContext, lead: LeadRow, input: ConvertInput): Promise<Source> {
  const ownerId = input.ownerId ?? (lead.ownerId as string | null) ?? ctx.userId
  const proposal = { id: lead.id, values: { ownerId }, created: false }
  const problem = (await checkReferences(ctx, leads, [proposal])).get(lead.id)
  if (problem) throw problem
  return { lead, ownerId, convertedAt: input.convertedAt }
}

interface Parts {
  company: Made | undefined
  contact: Made | undefined
  deal: Made | undefined
}

async function partsOf(ctx: TransactionContext, source: Source, input: ConvertInput): Promise<Parts> {
  const company = await companyOf(ctx, source, input.company)
  const companyId = company?.id ?? null
  const contact = await contactOf(ctx, source, input.contact, companyId)
  const deal = await dealOf(ctx, source, input.deal, { companyId, primaryContactId: contact?.id ?? null })
  if (company ?? contact ?? deal) return { company, contact, deal }
  const message = 'A lead becomes at least one of company, contact and deal.'
  throw new KithError('unprocessable', message, {
    errors: [{ in: 'body', pointer: '', code: 'nothing_to_convert_to', message }]
  })
}

async function convert(
  ctx: TransactionContext,
  id: string,
  input: ConvertInput,
  expectedVersion: number | undefined
): Promise<Conversion> {
  const lead = await lockLead(ctx, id)
  refuseConversion(lead, expectedVersion)
  const now = await databaseNow(ctx)
  refuseFuture(Date.parse(now), input.convertedAt, '/convertedAt')
  const { company, contact, deal } = await partsOf(ctx, await sourceOf(ctx, lead, input), input)
  const became: Became = {
    contactId: contact?.id ?? lead.contactId,
    companyId: company?.id ?? lead.companyId,
    dealId: deal?.id ?? lead.dealId
  }
  const moved = await takeAlong(ctx, lead.id, became)
  const patch = { ...became, status: 'converted', convertedAt: input.convertedAt ?? now }
  const changed = await changeRecords(ctx, leads, [{ id: lead.id, patch, eventType: 'lead.converted' }])
  return {
    dryRun: input.dryRun ?? false,
    lead: changed.get(lead.id)!.record,
    company: company ?? null,
    contact: contact ?? null,
    deal: deal ?? null,
    ...moved
  }
}

// A record that was undone has no id, wherever it is named, and is not shown.
function withoutMade(conversion: Conversion): Conversion {
  const made = [conversion.company, conversion.contact, conversion.deal].filter(p => p?.outcome === 'created')
  const ids = new Set<unknown>(made.map(p => p!.id))
  const text = JSON.stringify(conversion, (key, v: unknown) => {
    const isMade = key === 'record' && ids.has((v as { id?: unknown } | null)?.id)
    return isMade || ids.has(v) ? null : v
  })
  return JSON.parse(text) as Conversion
}

// What might be written is known from the input alone, so that nobody learns of data by what is refused.
function scopesFor({ company, contact, deal }: ConvertInput): string[] {
  return [
    ...(company === null ? [] : [companies.permissions.write]),
    ...(company?.match ? [companies.permissions.read] : []),
    ...(contact === null ? [] : [contacts.permissions.write]),
    ...(contact?.match ? [contacts.permissions.read] : []),
    ...(deal === undefined ? [] : [deals.permissions.write])
  ]
}

/** Makes or links company, contact and deal of a lead, in one transaction. */
export const convertLead = operation({
  name: 'leads.convert',
  kind: 'write',
  permission: leads.permissions.write,
  alsoNeeds: scopesFor,
  summary:
    'Convert a lead: make or link its company, contact and deal, and take its activities and touches along',
  description:
    'All or nothing. Needs the scopes to write what it may make or link, and to read where it looks for a match. A lead is converted once: a second time is a 409 that names the first. `dryRun` answers what would happen.',
  rest: 'POST /leads/:id/convert',
  graphql: 'convertLead',
  params: byId,
  body: convertBody,
  result: value(convertResult),
  atomic: true,
  async run(ctx, { id, body, expectedVersion }) {
    const run = () => convert(ctx, id, body, expectedVersion)
    return body.dryRun ? withoutMade(await dryRun(ctx, run)) : run()
  }
})
