import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import { deals } from '../../resources/deals/resource.js'
import { stages } from '../../resources/pipelines/resource.js'
import { products } from '../../resources/products/resource.js'
import { dealValuesAt } from '../deal-values.js'
import { days } from '../durations.js'
import { fieldThen } from '../field-then.js'
import { shown } from '../money.js'
import { localDay } from '../period.js'
import { sampleSql } from '../samples.js'
import { dealConversion, mayBeIn, stageRows, stateOf } from './facts.js'
import type { Moment } from './forecast-windows.js'
import type { DealScope } from './scope.js'
import { kindsOf } from './stages.js'

/** What a forecast needs to know of deals, as far as it does not always. */
export interface Needs {
  stageTimes: boolean
  listPrices: boolean
  wonValues: boolean
  /** Which open deals are forecast. */
  chosen: Sql
}

const columns = raw(`n int, at timestamptz, "from" timestamptz, "to" timestamptz, "previousFrom" timestamptz,
  "previousTo" timestamptz, "seasonFrom" timestamptz, "seasonTo" timestamptz`)

// How likely a deal in a stage was said to be won, at each moment.
function stageOdds({ ctx, frame, pipeline }: DealScope): Sql {
  const known = sql`${frame.knownAt}::timestamptz`
  const at = sql`case when m.at < s.created_at then ${known} else least(m.at, ${known}) end`
  return sql`
    select m.n, array_position(${pipeline.stages.map(s => s.id)}::uuid[], s.id) - 1 as stage,
      ${fieldThen(ctx, stages, 's', 'probability', at)}::float8 as probability
    from moments m cross join stages s
    where ${visible(ctx, stages, 's')} and s.pipeline_id = ${pipeline.id}`
}

// Each deal at each moment: where it stands, since when, and how it stood at the moment before.
const standings = (scope: DealScope) => sql`
  select y.*, lag(y.state) over (order by y.n desc) as state_before from (
    select w.*, s.state from (
      select m.n, m.at, m."from", m."to", m."previousFrom", m."previousTo", m."seasonFrom", m."seasonTo",
        (array_agg(f.stage order by f.at, f.seq))[count(*)] as stage, min(f.stage) as least,
        max(f.position) filter (where f.kind = 'open' and f.stage < ${scope.pipeline.own}::int) as furthest,
        min(f.at) filter (where f.stage < ${scope.pipeline.own}::int) as first_at,
        max(f.at) filter (where f.entered) as last_at
      from moments m join (${stageRows(scope)}) f on f.at <= m.at
      group by m.n, m.at, m."from", m."to", m."previousFrom", m."previousTo", m."seasonFrom", m."seasonTo"
    ) w cross join lateral (select ${stateOf(scope, raw('w.stage'))} as state) s
    where w.least < ${scope.pipeline.own}::int
  ) y`

// Pairs of a stage and the days since its last entry until the close, or until the moment.
function stageTimes(scope: DealScope): Sql {
  const { frame, durations, pipeline } = scope
  const end = sql`case when x.state = 'open' then x.at else x.last_at end`
  return sql`(
    select string_agg(float8send(l.stage::float8) || float8send((${days(frame, durations, raw('l.at'), end)})::float8),
      ''::bytea)
    from (
      select f.stage, max(f.at) as at from (${stageRows(scope)}) f
      where f.entered and f.at <= x.at and f.stage = any(${kindsOf(pipeline).open}::int[]) group by f.stage
    ) l)`
}

/**
 * The facts of a forecast, a row for each deal of the pipeline at each moment: its state, what it is worth, and whether
 * it was won in one of the windows before.
 */
export function forecastFacts(scope: DealScope, moments: readonly Moment[], needs: Needs): Sql {
  const { ctx, frame, cuts, durations, filter } = scope
  const { ctes, converted } = dealConversion(scope)
  const day = (at: Sql) => localDay(frame.workspaceZone, at)
  const date = (at: Sql) => localDay(frame.timeZone, at)
  const end = sql`case when x.state = 'open' then x.at else x.last_at end`
  const wonIn = (from: string, to: string) => sql`coalesce(x.state = 'won'
    and x.last_at >= x.${raw(`"${from}"`)} and x.last_at < x.${raw(`"${to}"`)}, false)`
  const place = sql`case when v.expected_close_date is null then 'undated'
    when v.expected_close_date <= ${date(raw('x.at'))} then 'overdue'
    when v.expected_close_date >= ${date(raw('x."from"'))} and (x."to" is null
      or v.expected_close_date <= ${date(sql`x."to" - interval '1 millisecond'`)}) then 'expected'
    else 'outside' end`
  const price = needs.listPrices
    ? sql`${converted(sql`${fieldThen(ctx, products, 'p', 'listPrice', raw('x.at'))}::numeric`, fieldThen(ctx, products, 'p', 'currency', raw('x.at')), day(raw('x.at')))}`
    : sql`null::numeric`
  const open = sql`x.state = 'open'`
  return sql`${ctes}, moments as materialized (
    select m.* from jsonb_to_recordset(${JSON.stringify(moments)}::jsonb) as m(${columns})
  ), odds as materialized (${stageOdds(scope)}),
  facts as materialized (
    select d.id, x.n, x.state, x.stage, x.furthest, x.first_at, d.product_id,
      ${days(frame, durations, raw('x.first_at'), end)}::float8 as days,
      ${days(frame, durations, raw('x.last_at'), raw('x.at'))}::float8 as stage_days,
      v.amount, ${converted(raw('v.amount'), raw('v.currency'), day(end))} as value,
      coalesce(v.probability, o.probability) as probability,
      case when ${open} then ${place} end as place,
      case when ${open} and x.n = 0
        then ${fieldThen(ctx, deals, 'd', 'forecastCategory', sql`least(x.at, ${frame.knownAt}::timestamptz)`)} end as category,
      case when ${open} then ${price} end as list_price,
      ${needs.stageTimes ? stageTimes(scope) : sql`null::bytea`} as stage_times,
      coalesce(x.state = 'won' and x.last_at >= x."from" and (x."to" is null or x.last_at < x."to"), false) as won_now,
      ${wonIn('previousFrom', 'previousTo')} as won_before, ${wonIn('seasonFrom', 'seasonTo')} as won_season,
      coalesce(x.first_at >= x."previousFrom", false) as fresh, coalesce(x.state_before = 'open', false) as was_open
      ${cuts.keys}
    from deals d ${cuts.joins} cross join lateral (${standings(scope)}) x
    ${dealValuesAt(ctx, frame, 'd', 'v', 'last', raw('x.at'), sql`and x.state in ('open', 'won')`)}
    left join odds o on o.n = x.n and o.stage = x.stage
    ${needs.listPrices ? sql`left join products p on ${visible(ctx, products, 'p')} and p.id = d.product_id and p.deleted_at is null` : empty}
    where ${visible(ctx, deals, 'd')} and d.deleted_at is null and ${filter} and ${mayBeIn(scope)}
  )`
}

const sums: Record<string, Sql> = {
  wonNow: raw('f.won_now'),
  wonBefore: raw('f.won_before'),
  wonSeason: raw('f.won_season'),
  wonNew: raw('f.won_before and f.fresh'),
  wonFromOpen: raw('f.won_before and f.was_open')
}

/** What is counted of these facts, for each moment. */
export function forecastCounts({ wonValues }: Needs): Sql {
  const amounts = Object.entries(sums).map(
    ([name, met]) => sql`${shown(sql`sum(f.value) filter (where ${met})`)} as ${raw(`"${name}Value"`)},`
  )
  const times = (state: string) => sql`string_agg(f.stage_times, ''::bytea) filter (where f.state = ${state})`
  return sql`${amounts.reduce((all, one) => sql`${all} ${one}`)}
    min(f.first_at) as since, ${sampleSql(raw('f.days'), raw(`f.state = 'won'`))} as "wonDays",
    ${sampleSql(raw('f.days'), raw(`f.state = 'lost'`))} as "lostDays",
    ${sampleSql(raw('f.furthest'), raw(`f.state = 'lost' and f.furthest is not null`))} as "lostFurthest",
    ${times('won')} as "wonTimes", ${times('lost')} as "lostTimes", ${times('open')} as "openTimes",
    json_agg(json_build_object('stage', f.stage, 'days', f.days, 'stageDays', f.stage_days, 'value', f.value::text,
      'missing', f.amount is null, 'probability', f.probability, 'place', f.place, 'category', f.category,
      'productId', f.product_id, 'listPrice', f.list_price::text) order by f.id) filter (where f.state = 'open') as open,
    ${
      wonValues
        ? raw(`json_agg(json_build_array(f.product_id, f.value::text) order by f.id)
            filter (where f.state = 'won' and f.value is not null)`)
        : raw('null::json')
    } as "wonValues"`
}

/** The deals behind the numbers, those of the first moment. */
export function forecastMembers({ chosen }: Needs, openStages: readonly number[]): Record<string, Sql> {
  const openNow = sql`f.n = 0 and f.state = 'open'`
  const at = (place: string) => sql`${openNow} and f.place = ${place}`
  return {
    won: sql`f.state = 'won'`,
    lost: sql`f.state = 'lost'`,
    ...sums,
    openDeals: openNow,
    deals: sql`${openNow} and ${chosen}`,
    valued: sql`${openNow} and ${chosen} and coalesce(f.value, case when f.amount is null then f.list_price end) is not null`,
    convertible: sql`${openNow} and ${chosen} and (f.amount is null or f.value is not null)`,
    overdue: at('overdue'),
    undated: at('undated'),
    outside: at('outside'),
    missingAmount: sql`${openNow} and ${chosen} and f.amount is null`,
    noFxRate: sql`${openNow} and ${chosen} and f.amount is not null and f.value is null`,
    ...Object.fromEntries(
      openStages.map(i => [`stage_${i}`, sql`${openNow} and ${chosen} and f.stage = ${i}::int`])
    )
  }
}
