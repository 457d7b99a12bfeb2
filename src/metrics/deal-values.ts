import sql, { empty, raw, type Sql } from 'sql-template-tag'
import type { Context } from '../kernel/context.js'
import type { Frame } from './period.js'

/** What the history of a deal tells of its values, by the field's name. */
export const dealValueColumns: Readonly<Record<string, string>> = {
  amount: 'amount',
  currency: 'currency',
  probability: 'probability',
  expectedCloseDate: 'expected_close_date',
  ownerId: 'owner_id'
}

/**
 * Joins `as`, the values of the deal `alias` (`amount`, `currency`, `probability`, `expected_close_date`, `owner_id`):
 * the first ones ever known, or the last ones as of the figure. Before its first values a deal has those. With a
 * condition on the deal only the deals that meet it are looked up; the others have null.
 */
export function dealValues(
  ctx: Context,
  { asOf, knownAt }: Frame,
  alias: string,
  as: string,
  at: 'first' | 'last',
  condition: Sql = empty
): Sql {
  const past = sql`h.at <= ${asOf}::timestamptz`
  const latestFirst = sql`${past} desc, case when ${past} then h.at end desc, case when ${past} then h.seq end desc,`
  return sql`
    left join lateral (
      select h.amount, h.currency, h.probability, h.expected_close_date, h.owner_id
      from deal_history h
      where h.workspace_id = ${ctx.workspaceId} and h.deal_id = ${raw(alias)}.id and h.valued
        and h.recorded_at <= ${knownAt}::timestamptz ${condition}
      order by ${at === 'last' ? latestFirst : empty} h.at, h.seq limit 1
    ) ${raw(as)} on true`
}
