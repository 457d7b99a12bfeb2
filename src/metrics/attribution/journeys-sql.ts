import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { contacts } from '../../resources/contacts/resource.js'
import { deals } from '../../resources/deals/resource.js'
import { leads } from '../../resources/leads/resource.js'
import { touches } from '../../resources/touches/resource.js'
import type { Cuts } from '../counted.js'
import { conversion } from '../currency.js'
import { dealStates, openedThen } from '../deal-state.js'
import { givenUp, linked } from '../lead-then.js'
import { inPeriod, localDay, type Frame } from '../period.js'
import { recordsThen } from '../records-then.js'

/** Whose journeys are asked for, and what of them. */
export interface JourneyQuery {
  frame: Frame
  cuts: Cuts
  currency: string
  by: 'channel' | 'campaign'
  scope: 'lead' | 'deal'
  lookbackDays: number | undefined
  pipelineId: string | undefined
  /** A condition on the deals `d`. */
  filter: Sql
  /** Whose id stands for a deal `d`. */
  subject: Sql
  /** Whether leads that never had a deal count: a filter is about deals alone. */
  withLeads: boolean
}

/** The columns of the facts that journeys are told apart by. */
export const told = ['outcome', 'path', 'direct', 'ages', 'lead_touch', 'deal_touch'] as const

// What a closed deal is judged by is when it closed; an open one has nothing but its opening.
function dealSubjects(ctx: Context, query: JourneyQuery, worth: Sql): Sql {
  const { frame, cuts, filter, pipelineId } = query
  const opened = sql`(${openedThen(ctx, frame)})`
  const moment = sql`case when w.kind = 'open' then ${opened} else w.at end`
  const parts = dealStates(ctx, frame, pipelineId).map(
    ({ joins, where }) => sql`
    select d.id, ${query.subject} as subject, w.kind as outcome, d.lead_id, d.primary_contact_id, ${opened} as opened_at, w.at as until,
      case when w.kind = 'won' then v.amount end as amount, case when w.kind = 'won' then ${worth} end as value
      ${cuts.bucket(moment)} ${cuts.keys}
    from deals d ${cuts.joins} ${joins}
    where ${visible(ctx, deals, 'd')} and d.deleted_at is null and w.kind is not null and ${where} and ${filter}
      ${inPeriod(moment, frame)}`
  )
  return join(parts, ' union all ')
}

// Leads that never had a deal: given up, or still on their way.
function leadSubjects(ctx: Context, { frame, cuts }: JourneyQuery): Sql {
  const { asOf, knownAt } = frame
  const keys = cuts.dimensions.map((_, i) => sql`, null as ${raw(`key_${i + 1}`)}`)
  const counts = sql`${visible(ctx, deals, 'd')} and d.deleted_at is null
    and (${openedThen(ctx, frame)}) <= ${asOf}::timestamptz and d.created_at <= ${knownAt}::timestamptz`
  return sql`
    select l.id, l.id as subject, case when ${givenUp(ctx, frame)} then 'unqualified' else 'open' end as outcome, l.id as lead_id,
      null as primary_contact_id, null as opened_at, ${asOf}::timestamptz as until, null as amount, null as value
      ${cuts.bucket(raw('l.captured_at'))} ${keys.length > 0 ? join(keys, '') : empty}
    from ${recordsThen(ctx, frame, leads, 'l')}
      left join (select distinct d.lead_id from deals d where ${counts} and d.lead_id is not null) x on x.lead_id = l.id
      left join deals d on d.id = l.deal_id and ${counts}
    where ${visible(ctx, leads, 'l')} and l.deleted_at is null and l.captured_at <= ${asOf}::timestamptz
      and l.created_at <= ${knownAt}::timestamptz ${inPeriod(raw('l.captured_at'), frame)}
      and not (${linked(ctx, frame)} and (x.lead_id is not null or d.id is not null))`
}

// What is picked of touches t, as they were known.
function touchesOf(ctx: Context, frame: Frame, join: Sql): Sql {
  return sql`${recordsThen(ctx, frame, touches, 't')} ${join}
    ${visible(ctx, touches, 't')} and t.deleted_at is null and t.created_at <= ${frame.knownAt}::timestamptz`
}

const columns = raw('t.id, t.occurred_at, t.seq, t.channel, t.campaign_id')

// The journey of a subject s from its touches t.
function journey({ by, lookbackDays }: JourneyQuery, touched: Sql): Sql {
  const list = (value: Sql) => sql`array_agg(${value} order by t.occurred_at, t.seq, t.id)`
  const since =
    lookbackDays === undefined
      ? empty
      : sql`and t.occurred_at >= s.until - make_interval(secs => ${lookbackDays * 86400}::float8)`
  return sql`
    ${list(raw(by === 'channel' ? 't.channel' : 't.campaign_id::text'))} as path,
    ${list(sql`lower(t.channel) = 'direct'`)} as direct,
    ${list(sql`(extract(epoch from s.until - t.occurred_at) / 86400)::float8`)} as ages,
    (count(*) filter (where t.occurred_at <= s.captured_at))::int - 1 as lead_touch,
    (count(*) filter (where t.occurred_at <= s.opened_at))::int - 1 as deal_touch
    ${touched} s.outcome <> 'open' and t.occurred_at <= s.until ${since}`
}

// Journeys j of the subjects s by the touches of their leads: each finds its own by an index.
const ofLeads = (ctx: Context, query: JourneyQuery) => ({
  ctes: empty,
  joined: sql`left join lateral (
    select ${journey(query, sql`from ${touchesOf(ctx, query.frame, sql`where`)} and t.lead_id = s.lead and`)}
  ) j on true`
})

// The same by the touches of everybody who has a part in the deal, and of their leads: as sets, since they are many.
function ofEverybody(ctx: Context, query: JourneyQuery) {
  const { frame } = query
  const found = (whose: Sql) =>
    sql`select w.whose, ${columns} from ${whose} join ${touchesOf(ctx, frame, sql`on`)} and t.occurred_at <= w.until`
  return {
    ctes: sql`, closed as (
      select s.* from told s where s.outcome <> 'open'
    ), people as materialized (
      select w.whose, w.until, c.id from (
        select s.id as whose, s.until, s.primary_contact_id as id from closed s
        union select s.id, s.until, s.lead_contact from closed s
        union select s.id, s.until, p.contact_id from closed s
          join deal_contacts p on p.workspace_id = ${ctx.workspaceId} and p.deal_id = s.id
      ) w join contacts c on ${visible(ctx, contacts, 'c')} and c.deleted_at is null and c.id = w.id
    ), their_leads as materialized (
      select s.id as whose, s.until, s.lead as id from closed s
      union select w.whose, w.until, x.id from people w
        join leads x on ${visible(ctx, leads, 'x')} and x.deleted_at is null and x.contact_id = w.id
    ), touched as (
      ${found(raw('people w'))} and t.contact_id = w.id union ${found(raw('their_leads w'))} and t.lead_id = w.id
    ), journeys as (
      select s.id, ${journey(query, raw('from told s join touched t on t.whose = s.id where'))}
      group by s.id
    )`,
    joined: raw('left join journeys j on j.id = s.id')
  }
}

/**
 * The facts behind attribution: for each deal and lead what became of it, and its journey, the touches until then in
 * their order. Only those of won deals need more than the order.
 */
export function journeyFacts(ctx: Context, query: JourneyQuery): Sql {
  const { frame, currency, scope, withLeads, cuts } = query
  const since = sql`coalesce((
    select min(f.opened_at) from deals f where ${visible(ctx, deals, 'f')}
  )::date - 1, 'infinity'::date)`
  const { ctes, converted } = conversion(ctx, frame, currency, since)
  const worth = converted(raw('v.amount'), raw('v.currency'), localDay(frame.workspaceZone, raw('w.at')))
  const won = (column: Sql) => sql`case when s.outcome = 'won' then ${column} end`
  const cutBy = [...(cuts.interval ? ['bucket'] : []), ...cuts.dimensions.map((_, i) => `key_${i + 1}`)]
  const journeys = (scope === 'lead' ? ofLeads : ofEverybody)(ctx, query)
  return sql`${ctes}, subjects as (
    ${dealSubjects(ctx, query, worth)} ${withLeads ? sql`union all ${leadSubjects(ctx, query)}` : empty}
  ), told as (
    select s.*, l.id as lead, l.captured_at, l.contact_id as lead_contact
    from subjects s
      left join ${recordsThen(ctx, frame, leads, 'l')} on ${visible(ctx, leads, 'l')} and l.id = s.lead_id
        and l.deleted_at is null and l.created_at <= ${frame.knownAt}::timestamptz
        and (s.id = l.id or ${linked(ctx, frame)})
  ) ${journeys.ctes}, facts as (
    select s.subject as id, s.outcome, case when s.outcome <> 'open' then coalesce(j.path, '{}') end as path,
      ${won(raw('j.direct'))} as direct, ${won(raw('j.ages'))} as ages,
      ${won(raw('coalesce(j.lead_touch, -1)'))} as lead_touch, ${won(raw('coalesce(j.deal_touch, -1)'))} as deal_touch,
      s.amount, s.value ${raw(cutBy.map(c => `, s.${c}`).join(''))}
    from told s ${journeys.joined}
  )`
}
