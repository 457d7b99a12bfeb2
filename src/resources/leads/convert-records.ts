import type { TransactionContext } from '../../kernel/context.js'
import type { RecordRow } from '../../kernel/read.js'
import { writerOf } from '../../kernel/writer.js'
import { companies } from '../companies/resource.js'
import { contacts } from '../contacts/resource.js'
import { deals } from '../deals/resource.js'
import { matchCompany, matchContact, type Traces } from './convert-match.js'
import { choose, link, make, type Made, type Plan } from './convert-parts.js'
import type { Choice } from './convert-schemas.js'

/** A lead, with the fields that decide what becomes of it. */
export interface LeadRow extends RecordRow, Traces {
  firstName: string | null
  lastName: string | null
  phone: string | null
  status: string
  contactId: string | null
  companyId: string | null
  dealId: string | null
}

/** What the records of a conversion are made of: the lead, who owns what is made, and when it was converted. */
export interface Source {
  lead: LeadRow
  ownerId: string | null
  convertedAt: string | undefined
}

const pick = (lead: RecordRow, names: readonly string[]) => Object.fromEntries(names.map(n => [n, lead[n]]))

// Without a word of the caller: the record that the lead has, else a new one if the lead says enough.
async function byItself(
  ctx: TransactionContext,
  plan: Plan,
  own: string | null,
  fresh: () => Promise<Made | undefined>
): Promise<Made | undefined> {
  const found = own === null ? undefined : await link(ctx, plan, own, 'given')
  return found ?? fresh()
}

/** The company of a conversion, as chosen. */
export async function companyOf(
  ctx: TransactionContext,
  { lead, ownerId }: Source,
  choice: Choice | null | undefined
): Promise<Made | undefined> {
  const plan: Plan = {
    resource: companies,
    writer: writerOf(companies),
    inherited: {
      name: lead.companyName,
      domain: lead.companyDomain,
      ...pick(lead, ['industry', 'country'])
    },
    // A company that is there came through another channel first.
    defaults: { ownerId, ...pick(lead, ['sourceChannel']) }
  }
  const fresh = async () => (lead.companyName === null ? undefined : make(ctx, plan, {}))
  if (choice === null) return undefined
  if (choice === undefined) return byItself(ctx, plan, lead.companyId, fresh)
  return choose(ctx, plan, choice, () => matchCompany(ctx, lead), fresh)
}

const personal = [
  'firstName',
  'lastName',
  'email',
  'phone',
  'jobTitle',
  'country',
  'language',
  'sourceChannel',
  'campaignId',
  'tags',
  'customFields'
]

const namesPerson = ({ firstName, lastName, email, phone }: LeadRow) =>
  [firstName, lastName, email, phone].some(v => v !== null)

/** The contact of a conversion, as chosen, working for its company. */
export async function contactOf(
  ctx: TransactionContext,
  { lead, ownerId }: Source,
  choice: Choice | null | undefined,
  companyId: string | null
): Promise<Made | undefined> {
  const plan: Plan = {
    resource: contacts,
    writer: writerOf(contacts),
    inherited: { ...pick(lead, personal), ownerId, companyId },
    defaults: {}
  }
  const fresh = async () => (namesPerson(lead) ? make(ctx, plan, {}) : undefined)
  if (choice === null) return undefined
  if (choice === undefined) return byItself(ctx, plan, lead.contactId, fresh)
  return choose(ctx, plan, choice, () => matchContact(ctx, lead), fresh)
}

function dealName(lead: LeadRow): string {
  const person = [lead.firstName, lead.lastName].filter(n => n !== null).join(' ')
  const name = [lead.companyName, person, lead.email, lead.phone].find(n => n)!
  return [...name].slice(0, 300).join('')
}

/** The deal of a conversion, if one is asked for. */
export async function dealOf(
  ctx: TransactionContext,
  { lead, ownerId, convertedAt }: Source,
  choice: Choice | undefined,
  ids: { companyId: string | null; primaryContactId: string | null }
): Promise<Made | undefined> {
  if (choice === undefined) return undefined
  // The times of a history stand for themselves.
  const opened = choice.create?.history === undefined && convertedAt !== undefined
  const plan: Plan = {
    resource: deals,
    writer: writerOf(deals),
    inherited: { ...pick(lead, ['sourceChannel', 'campaignId']), ...ids, leadId: lead.id },
    defaults: { name: dealName(lead), ownerId, ...(opened && { openedAt: convertedAt }) }
  }
  return choose(ctx, plan, choice)
}
