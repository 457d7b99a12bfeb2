import sql, { raw } from 'sql-template-tag'
import type { Context } from '../../kernel/context.js'
import { selectList } from '../../kernel/columns.js'
import { visible } from '../../kernel/authorize.js'
import type { Resource } from '../../kernel/resource.js'
import type { ChangeRow, NewRow } from '../../kernel/write.js'

/** The records that a lead became. */
export interface Became {
  contactId: string | null
  companyId: string | null
  dealId: string | null
}

type Values = Record<string, unknown>

/** The caller's context with all records of the workspace in sight: what must hold for all of them is done so. */
export const whole = <C extends Context>(ctx: C): C => ({ ...ctx, rowScope: 'all', owners: null })

const leadOf = (values: Values) => (values.leadId as string | null | undefined)?.toLowerCase()

/** Whether values are about a lead: then what it became is read under its lock, in a transaction. */
export const namesLead = (values: Values) => values.leadId != null

/**
 * What the converted ones of these leads became. The leads are locked against conversion first: one that runs is
 * waited for, and a later one waits, and finds what is written here.
 */
async function becameOf(ctx: Context, ids: readonly string[]): Promise<Map<string, Became>> {
  const rows = await ctx.db.query<Became & { [column: string]: unknown; id: string }>(sql`
    with locked as materialized (
      select t.id, t.status, t.contact_id as "contactId", t.company_id as "companyId", t.deal_id as "dealId"
      from leads t where t.workspace_id = ${ctx.workspaceId} and t.id = any(${ids}::uuid[])
      order by t.id for key share of t
    ) select l.* from locked l where l.status = 'converted'`)
  return new Map(rows.map(r => [r.id, r]))
}

function filled<V extends Values>(
  fields: readonly (keyof Became)[],
  before: Values,
  values: V,
  became: Became
): V {
  const empty = fields.filter(
    f => became[f] !== null && (values[f] === undefined ? before[f] : values[f]) == null
  )
  return { ...values, ...Object.fromEntries(empty.map(f => [f, became[f]])) }
}

/** New records about leads; those about a converted one are also about what it became, where they do not say. */
export async function aboutLeads(
  ctx: Context,
  fields: readonly (keyof Became)[],
  rows: readonly NewRow[]
): Promise<readonly NewRow[]> {
  const ids = rows.map(r => leadOf(r.values)).filter(id => id !== undefined)
  if (ids.length === 0) return rows
  const became = await becameOf(ctx, ids)
  return rows.map(row => {
    const lead = became.get(leadOf(row.values) ?? '')
    return lead ? { ...row, values: filled(fields, {}, row.values, lead) } : row
  })
}

/** The same for changes that name another lead. */
export async function changedLeads(
  ctx: Context,
  resource: Resource,
  fields: readonly (keyof Became)[],
  rows: readonly ChangeRow[]
): Promise<readonly ChangeRow[]> {
  const leads = rows.map(r => leadOf(r.patch)).filter(id => id !== undefined)
  if (leads.length === 0) return rows
  const became = await becameOf(ctx, leads)
  if (became.size === 0) return rows
  const stored = await ctx.db.query<Values & { id: string }>(sql`
    select ${selectList(resource, 't', ['leadId', ...fields])} from ${raw(`"${resource.table}" t`)}
    where ${visible(ctx, resource, 't')} and t.id = any(${rows.map(r => r.id)}::uuid[])
    order by t.id for no key update of t`)
  const before = new Map(stored.map(r => [r.id, r]))
  return rows.map(row => {
    const [record, lead] = [before.get(row.id), became.get(leadOf(row.patch) ?? '')]
    if (!record || !lead || record.leadId === leadOf(row.patch)) return row
    return { ...row, patch: filled(fields, record, row.patch, lead) }
  })
}
