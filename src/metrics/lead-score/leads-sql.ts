import sql, { join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { leads } from '../../resources/leads/resource.js'
import type { Cuts } from '../counted.js'
import { givenUp, linked } from '../lead-then.js'
import { inPeriod, type Frame } from '../period.js'

/** Which leads are read, and what of them; conditions are on the leads `l`. */
export interface LeadQuery {
  frame: Frame
  /** The values of features, as groups would be. */
  values: Cuts
  filter: Sql
  outcome: Sql | undefined
  train: Sql | undefined
  test: Sql | undefined
  maturityDays: number
}

/** A lead with the values of its features. */
export interface LeadRow {
  [column: string]: unknown
  id: string
  values: (string | number | boolean | null)[]
  outcome: boolean
  /** Whether what came of it is settled: it is known, or long enough ago. */
  settled: boolean
  train: boolean | null
  test: boolean | null
}

const won = (ctx: Context, frame: Frame) => sql`${linked(ctx, frame)} and exists (
  select from deals x where x.workspace_id = ${ctx.workspaceId} and x.deleted_at is null
    and (x.lead_id = l.id or x.id = l.deal_id) and (
      select h.kind from deal_history h
      where h.workspace_id = ${ctx.workspaceId} and h.deal_id = x.id and h.stage_id is not null
        and h.at <= ${frame.asOf}::timestamptz and h.recorded_at <= ${frame.knownAt}::timestamptz
      order by h.at desc, h.seq desc limit 1) = 'won')`

/** The leads as of the figure, the earliest first. */
export function leadsSql(ctx: Context, query: LeadQuery): Sql {
  const { frame, values, filter, outcome, train, test, maturityDays } = query
  const { asOf, knownAt } = frame
  const shown = values.dimensions.map(d => d.shown(d.value))
  const list = shown.length > 0 ? join(shown, ', ') : raw('')
  return sql`
    select f.*, f.outcome or f.given_up or f.captured_at <= ${asOf}::timestamptz - make_interval(days => ${maturityDays}::int) as settled
    from (
      select l.id, l.captured_at, jsonb_build_array(${list}) as values, ${outcome ?? won(ctx, frame)} as outcome,
        ${givenUp(ctx, frame)} as given_up,
        ${train ?? sql`null::boolean`} as train, ${test ?? sql`null::boolean`} as test
      from leads l ${values.joins}
      where ${visible(ctx, leads, 'l')} and l.deleted_at is null and l.captured_at <= ${asOf}::timestamptz
        and l.created_at <= ${knownAt}::timestamptz and ${filter} ${inPeriod(raw('l.captured_at'), frame)}
    ) f order by f.captured_at, f.id`
}
