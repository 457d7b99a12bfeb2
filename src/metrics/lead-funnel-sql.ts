import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { deals } from '../resources/deals/resource.js'
import { leads } from '../resources/leads/resource.js'
import type { Cuts } from './counted.js'
import { dealState, openedThen } from './deal-state.js'
import { dealThen, leadMoment } from './lead-then.js'
import { inPeriod, type Frame } from './period.js'
import { recordsThen } from './records-then.js'

/** Which leads are looked at. */
export interface LeadFunnelQuery {
  frame: Frame
  cuts: Cuts
  /** A condition on the leads `l`. */
  filter: Sql
  /** Whether what happened in the period is counted, instead of what became of the leads captured in it. */
  flow: boolean
}

/**
 * When the lead `l` was first qualified, as of the figure: a join, and the instant. A lead shows the last time; earlier
 * ones are in its changes.
 */
export function qualification(ctx: Context, frame: Frame): { join: Sql; at: Sql } {
  const moment = leadMoment(frame)
  const at = sql`least(q.at, l.qualified_at)`
  return {
    join: sql`
      left join lateral (
        select min((c.before ->> 'qualifiedAt')::timestamptz) as at from record_changes c
        where l.qualified_at is not null and l.updated_at > l.created_at and c.workspace_id = ${ctx.workspaceId}
          and c.resource = 'lead' and c.record_id = l.id and c.before ->> 'qualifiedAt' is not null
      ) q on true`,
    at: sql`case when ${at} <= ${moment} then ${at} end`
  }
}

/**
 * The facts of leads: `facts`, one for each lead with what became of it; or, as a flow, one for each of what happened.
 */
export function leadFacts(ctx: Context, { frame, cuts, filter, flow }: LeadFunnelQuery): Sql {
  const { asOf, knownAt } = frame
  const qualified = qualification(ctx, frame)
  const opened = sql`(${openedThen(ctx, frame)})`
  const keys = cuts.dimensions.map((_, i) => raw(`, l.key_${i + 1}`))
  const all = sql`
    select l.id, l.captured_at, ${qualified.at} as qualified_at,
      ${opened} as opened_at, case when w.kind = 'won' then w.at end as won_at ${cuts.keys}
    from ${recordsThen(ctx, frame, leads, 'l')} ${cuts.joins} ${qualified.join}
      left join deals d on ${visible(ctx, deals, 'd')} and d.id = ${dealThen(ctx, frame)} and d.deleted_at is null
        and ${opened} <= ${asOf}::timestamptz and d.created_at <= ${knownAt}::timestamptz
      ${dealState(ctx, frame)}
    where ${visible(ctx, leads, 'l')} and l.deleted_at is null and l.captured_at <= ${asOf}::timestamptz
      and l.created_at <= ${knownAt}::timestamptz and ${filter} ${flow ? empty : inPeriod(raw('l.captured_at'), frame)}`
  const column = (name: string, is: Sql) => sql`, ${is} as ${raw(name)}`
  const flags = (lead: Sql, qualified: Sql, deal: Sql, won: Sql) =>
    sql`${column('captured', lead)} ${column('qualified', qualified)} ${column('with_deal', deal)} ${column('won', won)}`
  const fact = (at: string, is: Sql, where: Sql) => sql`
    select l.id, extract(epoch from l.won_at - l.captured_at) / 86400 as days, l.captured_at ${is}
      ${cuts.bucket(raw(`l.${at}`))} ${keys.length > 0 ? join(keys, '') : empty}
    from judged l where ${where}`
  const yes = raw('true')
  const no = raw('false')
  const happened = (at: string, is: Sql) =>
    fact(at, is, sql`l.${raw(at)} is not null ${inPeriod(raw(`l.${at}`), frame)}`)
  const facts = flow
    ? join(
        [
          happened('captured_at', flags(yes, no, no, no)),
          happened('qualified_at', flags(no, yes, no, no)),
          happened('opened_at', flags(no, no, yes, no)),
          happened('won_at', flags(no, no, no, yes))
        ],
        ' union all '
      )
    : fact(
        'captured_at',
        flags(
          yes,
          raw('l.qualified_at is not null'),
          raw('l.opened_at is not null'),
          raw('l.won_at is not null')
        ),
        yes
      )
  return sql`judged as (${all}), facts as materialized (${facts})`
}

/** Conditions on the facts that are counted. */
export function leadMembers({ asOf }: Frame, maturedDays: readonly number[]): Record<string, Sql> {
  const matured = maturedDays.flatMap((days, i): [string, Sql][] => {
    const old = sql`f.captured_at <= ${asOf}::timestamptz - make_interval(secs => ${days * 86_400}::float8)`
    return [
      [`matured${i}`, old],
      [`soon${i}`, sql`${old} and f.won and f.days <= ${days}::float8`]
    ]
  })
  return {
    leads: raw('f.captured'),
    qualified: raw('f.qualified'),
    withDeal: raw('f.with_deal'),
    customers: raw('f.won'),
    ...Object.fromEntries(matured)
  }
}
