import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { fieldError, type KithError } from '../../kernel/errors.js'
import type { Change, ChangeRow } from '../../kernel/write.js'
import type { Proposal } from '../../kernel/writer.js'
import { deals, mostContacts } from './resource.js'
import type { DealContact } from './table.js'

type Given = Partial<DealContact> & { contactId: string }

/** The contacts of a deal and which of them is the primary one. */
interface People {
  contacts: DealContact[]
  primaryContactId: string | null
}

const givenContacts = (values: Record<string, unknown>) => values.contacts as Given[] | undefined

const givenPrimary = (values: Record<string, unknown>) => values.primaryContactId as string | null | undefined

const touchesPeople = (values: Record<string, unknown>) =>
  givenContacts(values) !== undefined || givenPrimary(values) !== undefined

/** Finds proposals that name a contact twice. */
export function checkContacts(rows: readonly Proposal[]): Map<string, KithError> {
  const problems = new Map<string, KithError>()
  for (const { id, values } of rows) {
    const ids = (givenContacts(values) ?? []).map(c => c.contactId.toLowerCase())
    const again = ids.findIndex((contact, i) => ids.indexOf(contact) < i)
    if (again < 0) continue
    const pointer = `/contacts/${again}/contactId`
    problems.set(id, fieldError('invalid_input', pointer, 'The contact is named twice.', 'duplicate'))
  }
  return problems
}

/**
 * What a write leaves of the contacts. The primary one is always among them: naming one adds it, and a list without
 * the present one leaves the deal without, unless the same write names another.
 */
function peopleAfter(before: People, values: Record<string, unknown>): People {
  const primary = givenPrimary(values)
  const list = givenContacts(values)?.map(c => ({
    contactId: c.contactId.toLowerCase(),
    role: c.role ?? null
  }))
  const contacts = list ?? before.contacts
  const has = (id: string) => contacts.some(c => c.contactId === id)
  if (primary === undefined) {
    const stays = before.primaryContactId !== null && has(before.primaryContactId)
    return { contacts, primaryContactId: stays ? before.primaryContactId : null }
  }
  const primaryContactId = primary?.toLowerCase() ?? null
  if (primaryContactId === null || has(primaryContactId)) return { contacts, primaryContactId }
  if (contacts.length >= mostContacts) {
    const message = `A deal has at most ${mostContacts} contacts, the primary one among them.`
    throw fieldError('unprocessable', '/primaryContactId', message, 'maxItems')
  }
  return { contacts: [...contacts, { contactId: primaryContactId, role: null }], primaryContactId }
}

/** The values of a new deal with its contacts made whole. */
export const withPeople = (values: Record<string, unknown>): Record<string, unknown> =>
  touchesPeople(values)
    ? { ...values, ...peopleAfter({ contacts: [], primaryContactId: null }, values) }
    : values

interface Locked extends People {
  [column: string]: unknown
  id: string
}

/** The changes with their contacts made whole. The deals are locked first: what a change leaves depends on them. */
export async function patchedPeople(ctx: Context, rows: readonly ChangeRow[]): Promise<readonly ChangeRow[]> {
  if (!rows.some(r => touchesPeople(r.patch))) return rows
  const locked = await ctx.db.query<Locked>(sql`
    select t.id, t.contacts, t.primary_contact_id as "primaryContactId" from deals t
    where ${visible(ctx, deals, 't')} and t.id = any(${rows.map(r => r.id)}::uuid[])
    order by t.id for no key update of t`)
  const before = new Map(locked.map(deal => [deal.id, deal]))
  return rows.map(row => {
    const deal = before.get(row.id)
    if (!deal || !touchesPeople(row.patch)) return row
    return { ...row, patch: { ...row.patch, ...peopleAfter(deal, row.patch) } }
  })
}

/** Makes the rows of these deals' contacts those that the deals themselves have. */
export async function storeContacts(ctx: Context, dealIds: readonly string[]): Promise<void> {
  if (dealIds.length === 0) return
  await ctx.db.query(sql`
    with wanted as materialized (
      select d.id as deal_id, c."contactId" as contact_id, c.role
      from deals d cross join lateral jsonb_to_recordset(d.contacts) as c("contactId" uuid, role text)
      where d.workspace_id = ${ctx.workspaceId} and d.id = any(${dealIds}::uuid[])
    ), dropped as (
      delete from deal_contacts x
      where x.workspace_id = ${ctx.workspaceId} and x.deal_id = any(${dealIds}::uuid[])
        and not exists (select from wanted w where w.deal_id = x.deal_id and w.contact_id = x.contact_id)
    )
    insert into deal_contacts as x (workspace_id, deal_id, contact_id, role)
    select ${ctx.workspaceId}, w.deal_id, w.contact_id, w.role from wanted w order by w.deal_id, w.contact_id
    on conflict (workspace_id, deal_id, contact_id) do update set role = excluded.role
    where x.role is distinct from excluded.role`)
}

/** The deals whose contacts a set of changes may have changed. */
export const withChangedPeople = (rows: readonly ChangeRow[], changes: Map<string, Change>): string[] =>
  rows.filter(r => r.patch.contacts !== undefined && changes.get(r.id)?.outcome === 'changed').map(r => r.id)
