import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { TransactionContext } from '../../kernel/context.js'
import type { Resource } from '../../kernel/resource.js'
import { changeRecords } from '../../kernel/write.js'
import { activities } from '../activities/resource.js'
import { touches } from '../touches/resource.js'

/** The records that a lead became. */
export interface Became {
  contactId: string | null
  companyId: string | null
  dealId: string | null
}

type Links = Partial<Became> & { id: string; [column: string]: unknown }

// Only links that are empty are set.
async function linkTo(
  ctx: TransactionContext,
  resource: Resource,
  rows: readonly Links[],
  became: Partial<Became>
) {
  const changes = rows.flatMap(row => {
    const empty = Object.entries(became).filter(([field, id]) => id !== null && row[field] === null)
    return empty.length > 0 ? [{ id: row.id, patch: Object.fromEntries(empty) }] : []
  })
  await changeRecords(ctx, resource, changes)
  return changes.length
}

/** Makes the activities and touches of a lead those of what it became. Answers how many of each were changed. */
export async function takeAlong(ctx: TransactionContext, leadId: string, became: Became) {
  // All of them go along, also those that this caller does not see.
  const whole: TransactionContext = { ...ctx, rowScope: 'all', owners: null }
  const spoken = await ctx.db.query<Links>(sql`
    select t.id, t.contact_id as "contactId", t.company_id as "companyId", t.deal_id as "dealId" from activities t
    where ${visible(whole, activities, 't')} and t.lead_id = ${leadId} and t.deleted_at is null`)
  const reached = await ctx.db.query<Links>(sql`
    select t.id, t.contact_id as "contactId" from touches t
    where ${visible(whole, touches, 't')} and t.lead_id = ${leadId} and t.deleted_at is null`)
  return {
    activities: await linkTo(whole, activities, spoken, became),
    touches: await linkTo(whole, touches, reached, { contactId: became.contactId })
  }
}
