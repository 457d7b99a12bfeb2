import sql, { join, raw } from 'sql-template-tag'
import { may, visible } from '../../kernel/authorize.js'
import { name, selectList } from '../../kernel/columns.js'
import type { TransactionContext } from '../../kernel/context.js'
import type { Resource } from '../../kernel/resource.js'
import { changeRecords } from '../../kernel/write.js'
import { activities } from '../activities/resource.js'
import { touches } from '../touches/resource.js'
import { whole, type Became } from './became.js'

const portion = 1000

type Found = { id: string; seen: boolean } & Record<string, unknown>

/**
 * Sets the empty ones of these links on all records of the lead, also on those in the bin and out of the caller's
 * sight. Answers how many of them the caller sees; null for who may not read any.
 */
async function takeAll(
  ctx: TransactionContext,
  resource: Resource,
  leadId: string,
  became: Partial<Became>
): Promise<number | null> {
  const links = Object.entries(became).filter(([, id]) => id !== null)
  const all = whole(ctx)
  const fields = links.map(([field]) => field)
  const empty = fields.map(f => sql`t.${name(resource.fields.get(f)!.column)} is null`)
  let seen = 0
  for (let more = links.length > 0; more;) {
    // What was linked is no longer found, so each portion is the first one.
    const found = await ctx.db.query<Found>(sql`
      select ${selectList(resource, 't', fields)}, ${visible(ctx, resource, 't')} and t.deleted_at is null as seen
      from ${raw(`"${resource.table}" t`)}
      where ${visible(all, resource, 't')} and t.lead_id = ${leadId} and (${join(empty, ' or ')})
      order by t.id limit ${portion} for no key update of t`)
    const changes = found.map(row => ({
      id: row.id,
      inBin: null,
      patch: Object.fromEntries(links.filter(([field]) => row[field] === null))
    }))
    await changeRecords(all, resource, changes)
    seen += found.filter(row => row.seen).length
    more = found.length === portion
  }
  return may(ctx, resource.permissions.read) ? seen : null
}

/** Makes the activities and touches of a lead those of what it became. Answers how many of each, as far as one sees. */
export async function takeAlong(ctx: TransactionContext, leadId: string, became: Became) {
  const { contactId } = became
  return {
    activities: await takeAll(ctx, activities, leadId, became),
    touches: await takeAll(ctx, touches, leadId, { contactId })
  }
}
