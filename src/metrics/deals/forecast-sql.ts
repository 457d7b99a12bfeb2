import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import { deals } from '../../resources/deals/resource.js'
import { stages } from '../../resources/pipelines/resource.js'
import { products } from '../../resources/products/resource.js'
import { days } from '../durations.js'
import { fieldThen } from '../field-then.js'
import { shown } from '../money.js'
import { localDay } from '../period.js'
import { sampleSql } from '../samples.js'
import { keysOfRow } from '../counted.js'
import { dealConversion } from './facts.js'
import { noRate, openNumbers, type OpenTexts } from './forecast-snapshot.js'
import { entryOf, standings } from './standings.js'
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

/** The column of facts that tells the days since the last entry into an open stage, by its index. */
const timeOf = (stage: number): Sql => raw(`stage_${stage}`)

const columns = raw(`n int, at timestamptz, "from" timestamptz, "to" timestamptz, "previousFrom" timestamptz,
  "previousTo" timestamptz, "seasonFrom" timestamptz, "seasonTo" timestamptz`)

// How likely a deal in a stage was said to be won, at each moment.
function stageOdds({ ctx, frame, pipeline }: DealScope): Sql {
  const known = sql`${frame.knownAt}::timestamptz`
  const at = sql`case when m.at < s.created_at then ${known} else least(m.at, ${known}) end`
  return sql`
    select m.moment, array_position(${pipeline.stages.map(s => s.id)}::uuid[], s.id) - 1 as stage,
      ${fieldThen(ctx, stages, 's', 'probability', at)}::float8 as probability
    from moments m cross join stages s
    where ${visible(ctx, stages, 's')} and s.pipeline_id = ${pipeline.id}`
}

// Columns of a standing that no moment is needed for.
function category({ ctx, frame }: DealScope, moments: readonly Moment[]): Sql {
  const then = sql`least(${frame.asOf}::timestamptz, ${frame.knownAt}::timestamptz)`
  return sql`, case when w.state = 'open' and least(w.high, v.high) = ${moments.length}::int
    then ${fieldThen(ctx, deals, 'd', 'forecastCategory', then)} end as category`
}

const wonIn = (from: string, to: string) => sql`coalesce(s.last_at >= m.${raw(`"${from}"`)}
  and s.last_at < m.${raw(`"${to}"`)}, false)`

const ofMoment = raw('m.moment, m.at, m."previousFrom", m.today, m.first_day, m.last_day')

// Open deals at each moment; closed ones once for all moments at which they are the same; and what each moment is asked
// about the won ones, those of its windows, as deals that `brought` something.
const parts = sql`
  select s.*, s.state as part, ${ofMoment},
    false as won_now, false as won_before, false as won_season, false as was_open
  from stood s left join moments m on s.state = 'open' and m.moment between s.n and s.through
  union all
  select b.*, o.id is not null from (
    select s.*, 'brought', ${ofMoment},
      s.last_at >= m."from" and (m."to" is null or s.last_at < m."to") as won_now,
      ${wonIn('previousFrom', 'previousTo')} as won_before, ${wonIn('seasonFrom', 'seasonTo')} as won_season
    from stood s join moments m on s.state = 'won' and m.moment between s.n and s.through
  ) b left join stood o on o.id = b.id and o.state = 'open' and b.moment + 1 between o.n and o.through
  where b.won_now or b.won_before or b.won_season`

/**
 * The facts of a forecast: a row for each open deal at each moment; one for each other deal and the moments from `n` back
 * `through` another one, at which it is the same; and one for each moment and deal won in one of its windows.
 */
export function forecastFacts(scope: DealScope, moments: readonly Moment[], needs: Needs): Sql {
  const { ctx, frame, cuts, durations, pipeline } = scope
  const { ctes, converted } = dealConversion(scope)
  const day = (at: Sql) => localDay(frame.workspaceZone, at)
  const date = (at: string) => localDay(frame.timeZone, raw(at))
  const open = sql`x.part = 'open'`
  const [n, through] = [raw('coalesce(x.moment, x.n)'), raw('coalesce(x.moment, x.through)')]
  const place = sql`case when x.expected_close_date is null then 'undated' when x.expected_close_date <= x.today then 'overdue'
    when x.expected_close_date >= x.first_day and (x.last_day is null or x.expected_close_date <= x.last_day) then 'expected'
    else 'outside' end`
  const price = needs.listPrices
    ? sql`${converted(sql`${fieldThen(ctx, products, 'p', 'listPrice', raw('x.at'))}::numeric`, fieldThen(ctx, products, 'p', 'currency', raw('x.at')), day(raw('x.at')))}`
    : sql`null::numeric`
  const valued = raw(
    needs.wonValues ? `x.part in ('open', 'brought', 'won')` : `x.part in ('open', 'brought')`
  )
  const entries = needs.stageTimes ? kindsOf(pipeline).open : []
  const lasted = (since: Sql) => sql`${days(frame, durations, since, raw('x."end"'))}::float8`
  // Most stages are the first or the last one of their deal, whose days are known.
  const since = entries.map(
    i => sql`, case x.${entryOf(i)} when x.first_at then x.days when x.last_at then x.stage_days
      else ${lasted(sql`x.${entryOf(i)}`)} end as ${timeOf(i)}`
  )
  return sql`${ctes}, moments as materialized (
    select m.*, m.n as moment, ${date('m.at')} as today, ${date('m."from"')} as first_day,
      ${date(`m."to" - interval '1 millisecond'`)} as last_day
    from jsonb_to_recordset(${JSON.stringify(moments)}::jsonb) as m(${columns})
  ), odds as materialized (${stageOdds(scope)}), ${standings(scope, moments, { entries, columns: category(scope, moments) })},
  facts as (
    select x.id, ${n} as n, ${through} as through, ${n} * ${moments.length}::int + ${through} as run, x.part as state, x.stage,
      x.furthest, x.first_at, x.product_id, x.days, x.stage_days, x.amount,
      case when ${valued} then ${converted(raw('x.amount'), raw('x.currency'), day(raw('x."end"')))} end as value,
      coalesce(x.probability, o.probability) as probability, case when ${open} then ${place} end as place, x.category,
      case when ${open} then ${price} end as list_price ${since.length > 0 ? join(since, '') : empty},
      x.won_now, x.won_before, x.won_season, coalesce(x.first_at >= x."previousFrom", false) as fresh, x.was_open
      ${keysOfRow(cuts, 'x')}
    from (
      select x.*, ${lasted(raw('x.first_at'))} as days, ${lasted(raw('x.last_at'))} as stage_days
      from (
        select x.*, case when ${open} then x.at else x.last_at end as "end" from (${parts}) x
      ) x offset 0
    ) x left join odds o on ${open} and o.moment = x.moment and o.stage = x.stage
    ${needs.listPrices ? sql`left join products p on ${visible(ctx, products, 'p')} and p.id = x.product_id and p.deleted_at is null` : empty}
    offset 0
  )`
}

const sums: Record<string, Sql> = {
  wonNow: raw('f.won_now'),
  wonBefore: raw('f.won_before'),
  wonSeason: raw('f.won_season'),
  wonNew: raw('f.won_before and f.fresh'),
  wonFromOpen: raw('f.won_before and f.was_open')
}

const open = raw(`f.state = 'open'`)

// What open deals are, all in one order: numbers in a row, texts between commas. Sorted here they would spill.
function openCounts({ listPrices, wonValues }: Needs): Sql {
  const numbers: Record<(typeof openNumbers)[number], string> = {
    stage: 'f.stage',
    days: 'f.days',
    stageDays: 'f.stage_days',
    probability: `coalesce(f.probability, 'NaN')`
  }
  const texts: Record<keyof OpenTexts, Sql> = {
    openPlaces: raw('f.place'),
    openCategories: raw(`coalesce(f.category, '')`),
    openValues: sql`case when f.amount is null then '' else coalesce(f.value::text, ${noRate}) end`,
    openPrices: listPrices ? raw(`coalesce(f.list_price::text, '')`) : empty,
    openProducts: wonValues ? raw(`coalesce(f.product_id::text, '')`) : empty
  }
  const sent = openNumbers.map(name => raw(`float8send(${numbers[name]}::float8)`))
  const list = (text: Sql, separator: string) =>
    text === empty ? raw('null') : sql`string_agg(${text}, ${raw(separator)}) filter (where ${open})`
  return sql`${list(join(sent, ' || '), `''::bytea`)} as open, ${join(
    Object.entries(texts).map(([name, text]) => sql`${list(text, `','`)} as ${raw(`"${name}"`)}`),
    ', '
  )}`
}

/** What is counted of these facts, for each run of moments. */
export function forecastCounts(needs: Needs, openStages: readonly number[]): Sql {
  const amounts = Object.entries(sums).map(
    ([name, met]) => sql`${shown(sql`sum(f.value) filter (where ${met})`)} as ${raw(`"${name}Value"`)},`
  )
  const pairs = openStages.map(
    i => sql`coalesce(float8send(${i}::float8) || float8send(f.${timeOf(i)}), ''::bytea)`
  )
  const told = needs.stageTimes && pairs.length > 0 ? join(pairs, ' || ') : raw('null::bytea')
  const times = (['won', 'lost', 'open'] as const).map(
    state =>
      sql`string_agg(${told}, ''::bytea) filter (where f.state = ${state}) as ${raw(`"${state}Times"`)},`
  )
  const won = sql`string_agg(coalesce(f.product_id::text, '') || ' ' || f.value, ',')
    filter (where f.state = 'won' and f.value is not null)`
  return sql`${join([...amounts, ...times], ' ')}
    min(f.n) as n, min(f.through) as through, min(f.first_at) filter (where f.state is distinct from 'brought') as since,
    ${sampleSql(raw('f.days'), raw(`f.state = 'won'`))} as "wonDays",
    ${sampleSql(raw('f.days'), raw(`f.state = 'lost'`))} as "lostDays",
    ${sampleSql(raw('f.furthest'), raw(`f.state = 'lost' and f.furthest is not null`))} as "lostFurthest",
    ${openCounts(needs)}, ${needs.wonValues ? won : raw('null')} as "wonValues"`
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
