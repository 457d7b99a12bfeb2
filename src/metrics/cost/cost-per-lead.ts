import { numberOf } from '../charts/of-figure.js'
import sql, { empty, join, raw, type Sql } from 'sql-template-tag'
import { authorize, visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { filterSql } from '../../kernel/filter.js'
import { Closed, Computed, Nullable, type Static } from '../../kernel/schema.js'
import { campaigns } from '../../resources/campaigns/resource.js'
import { costs } from '../../resources/costs/resource.js'
import { leads } from '../../resources/leads/resource.js'
import { IntervalParameter } from '../buckets.js'
import { counted, cutsOf, type Cuts, type Notes, type Numbers } from '../counted.js'
import { CurrencyParameter } from '../currency.js'
import { dimension } from '../dimensions.js'
import { idColumns, type ExplainRequest } from '../explain.js'
import { figure, type Answered } from '../figure.js'
import { GroupByParameter } from '../groups.js'
import { qualification } from '../lead-funnel-sql.js'
import { shown } from '../money.js'
import {
  commonParameters,
  FilterParameter,
  filtered,
  refused,
  type Given,
  type Request
} from '../parameters.js'
import { inPeriod, type Frame } from '../period.js'
import { recordsThen } from '../records-then.js'
import { Count } from '../rate.js'
import { costDays, costWarnings, IncludeParameter } from './cost-days.js'
import { givenCosts, type GivenCosts } from './given.js'

const parameters = {
  ...commonParameters,
  include: IncludeParameter(),
  currency: CurrencyParameter(),
  interval: IntervalParameter('costs by their day, leads by the day they were captured'),
  filter: FilterParameter(leads),
  groupBy: GroupByParameter(leads)
}

const value = Closed(
  {
    cost: Nullable(Computed('What was spent in the period; null where no cost is recorded.')),
    leads: Count('Leads captured in the period.'),
    qualified: Nullable(
      Count('Those of them that were qualified by `asOf`; null where given data do not tell.')
    ),
    costPerLead: Nullable(Computed('The cost for each lead.')),
    costPerQualifiedLead: Nullable(Computed('The cost for each qualified lead.')),
    spendWithoutLeads: Nullable(Computed('The part of the cost that belongs to campaigns without a lead.'))
  },
  { 'x-type': 'CostPerLead', description: 'What leads cost.' }
)

type Value = Static<typeof value>

const definition = [
  'What was spent in the period for each lead that was captured in it, and for each of them that was qualified by `asOf`.',
  'A cost of a span lies evenly on its days; one of a day exists from the start of it; each day is converted by the latest',
  'rate on or before it. Without a recorded cost the figure is unknown, null; a recorded 0 is 0.',
  'All costs of the period count, those of campaigns without leads too: these are told by `spendWithoutLeads`, where leads',
  'and costs without a campaign belong together.',
  'Groups are those that costs have as well: `campaignId`, fields of the campaign, `sourceChannel` (the channel of a cost,',
  'else of its campaign), and the first and last touch. A filter by campaign picks costs and leads; another filter picks',
  'leads alone, and the answer says so.'
].join(' ')

const formula = 'costPerLead = cost / leads; costPerQualifiedLead = cost / qualified leads.'

type Asked = Request<Given<typeof parameters>>

const ofCampaign = new Set(['campaignId', 'firstTouch.campaignId', 'lastTouch.campaignId'])
const ofChannel = new Set(['sourceChannel', 'campaign.channel', 'firstTouch.channel', 'lastTouch.channel'])

/** By what costs are grouped where leads are by these fields. */
function costKeys(ctx: Context, { given, place }: Asked, frame: Frame): { joins: Sql; columns: Sql } {
  const found = (given.groupBy ?? []).map((name, nth) => {
    if (ofCampaign.has(name)) return { joins: empty, value: raw('c.campaign_id') }
    if (ofChannel.has(name)) return { joins: empty, value: raw('coalesce(c.channel, p.channel)') }
    const own = name.startsWith('campaign.')
      ? dimension({ ctx, frame, resource: costs, alias: 'c', at: 'first', nth }, name)
      : ''
    if (typeof own !== 'string') return own
    const message = `Costs are not told apart by ${name}: group by campaignId, a field of campaign, sourceChannel, or the channel or campaign of the first or last touch.`
    throw refused(place, 'groupBy', message, 'not_allowed')
  })
  if (found.length === 0) return { joins: empty, columns: empty }
  return {
    joins: join(
      found.map(f => f.joins),
      ' '
    ),
    columns: join(
      found.map((f, i) => sql`, ${f.value} as ${raw(`key_${i + 1}`)}`),
      ''
    )
  }
}

/** Whether a filter of leads is one of costs too: of their campaigns alone. */
function picksCosts(filter: unknown): boolean {
  return Object.entries((filter ?? {}) as Record<string, unknown>).every(([name, condition]) => {
    if (name === 'and' || name === 'or') return (condition as unknown[]).every(picksCosts)
    return name === 'not' ? picksCosts(condition) : name === 'campaignId' || name === 'campaign'
  })
}

interface Found extends Numbers {
  cost: string | null
  leads: number
  qualified: number
  costPerLead: string | null
  costPerQualifiedLead: string | null
  spendWithoutLeads: string | null
  noFxRate: number
  costCount: number
  /** With `explain`: the ids behind `spendWithoutLeads`. */
  idleCosts?: Numbers['ids']
}

function factsSql(ctx: Context, request: Asked, frame: Frame, cuts: Cuts, currency: string): Sql {
  const { filter, include = 'all' } = request.given
  const picked = filtered(ctx, leads, 'l', request)
  const { join: judged, at } = qualification(ctx, frame)
  const spent = costDays(ctx, {
    frame,
    currency,
    include,
    lagDays: 0,
    filter: filter && picksCosts(filter) ? filterSql(ctx, costs, 'c', filter) : sql`true`,
    ...costKeys(ctx, request, frame)
  })
  const keys = cuts.dimensions.map((_, i) => raw(`, s.key_${i + 1}`))
  return sql`
    ${spent.ctes}, facts as materialized (
      select l.id, true as captured, ${at} is not null as qualified, null::numeric as cost, l.campaign_id as campaign
        ${cuts.bucket(raw('l.captured_at'))} ${cuts.keys}
      from ${recordsThen(ctx, frame, leads, 'l')} ${cuts.joins} ${judged}
      where ${visible(ctx, leads, 'l')} and l.deleted_at is null and l.captured_at <= ${frame.asOf}::timestamptz
        and l.created_at <= ${frame.knownAt}::timestamptz and ${picked} ${inPeriod(raw('l.captured_at'), frame)}
      union all
      select s.id, false, false, s.cost, s.campaign_id ${cuts.bucketOfDay(raw('s.day'))}
        ${keys.length > 0 ? join(keys, '') : empty}
      from (${spent.rows}) s
    )`
}

// A cost of a span has a row for each day. Counted apart: to tell all facts apart would sort the leads as well.
const costsThat = (met: Sql) => sql`(
    select count(distinct x.id)::int from unnest(array_agg(f.id) filter (where not f.captured and ${met})) as x(id)
  )`

const counts = sql`
  ${shown(sql`sum(f.cost)`)} as cost, ${shown(sql`sum(f.cost) / nullif(count(*) filter (where f.captured), 0)`)} as "costPerLead",
  ${shown(sql`sum(f.cost) / nullif(count(*) filter (where f.qualified), 0)`)} as "costPerQualifiedLead", (
    select ${shown(sql`coalesce(sum(u.cost) filter (where u.without), sum(u.cost) * 0)`)} from (
      select sum(x.cost) as cost, not bool_or(x.captured) as without
      from unnest(array_agg(f.campaign), array_agg(f.cost), array_agg(f.captured)) as x(campaign, cost, captured)
      group by x.campaign
    ) u
  ) as "spendWithoutLeads",
  ${costsThat(raw('f.cost is null'))} as "noFxRate", ${costsThat(raw('true'))} as "costCount"`

/** The costs of campaigns without a lead in the same cut, which no condition on a fact tells. */
function idleCosts(given: ExplainRequest): Sql {
  const [ids] = idColumns(given, { costs: sql`true` })
  if (!ids) return empty
  return sql`, (
    select ${ids} from (
      select unnest(u.ids) as id from (
        select array_agg(x.id) as ids
        from unnest(array_agg(f.id), array_agg(f.campaign), array_agg(f.captured)) as x(id, campaign, captured)
        group by x.campaign having not bool_or(x.captured)
      ) u
    ) f
  ) as "idleCosts"`
}

const members = {
  leads: raw('f.captured'),
  qualified: raw('f.qualified'),
  costs: raw('not f.captured')
}

type Reason = (pointer: string, code: string) => void

function told(value: Value, unknown: string, reason: Reason): Value {
  const { cost, qualified, costPerLead, costPerQualifiedLead } = value
  if (cost === null) for (const name of ['cost', 'spendWithoutLeads']) reason(`/${name}`, unknown)
  if (costPerLead === null) reason('/costPerLead', cost === null ? unknown : 'no_leads')
  if (qualified === null) reason('/qualified', 'not_given')
  const lacking = qualified === null ? 'not_given' : 'no_qualified_leads'
  if (costPerQualifiedLead === null) reason('/costPerQualifiedLead', cost === null ? unknown : lacking)
  return value
}

function valueOf(row: Found, { reason, ids }: Notes<Found>): Value {
  const { cost, leads: n, qualified, costPerLead, costPerQualifiedLead, spendWithoutLeads } = row
  ids('/cost', [row], 'costs')
  ids('/spendWithoutLeads', [{ ...row, ids: row.idleCosts }], 'costs')
  ids('/leads', [row], 'leads')
  ids('/qualified', [row], 'qualified')
  const found = { cost, leads: n, qualified, costPerLead, costPerQualifiedLead, spendWithoutLeads }
  return told(found, row.noFxRate > 0 ? 'no_fx_rate' : 'no_cost_recorded', reason)
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<Value>> {
  for (const resource of [leads, costs, campaigns]) authorize(ctx, resource.permissions.read)
  const { currency = frame.baseCurrency, filter } = request.given
  const cuts = cutsOf(ctx, leads, 'l', request, frame)
  const { rows, value, reasons, more } = await counted<Found, Value>(ctx, request, frame, cuts, {
    ctes: factsSql(ctx, request, frame, cuts, currency),
    counts: sql`${counts} ${idleCosts(request.given)}`,
    members,
    value: (rows, notes) => valueOf(rows[0]!, notes)
  })
  const { noFxRate } = rows[0]!
  return {
    parameters: { currency },
    value,
    more: { currency, ...more },
    counts: { leads: value.leads, costs: rows[0]!.costCount },
    excluded: { noFxRate },
    reasons,
    warnings: costWarnings(ctx, noFxRate, filter !== undefined && !picksCosts(filter))
  }
}

function fromRows({ cost, leads: n, qualified, per, without }: GivenCosts, reason: Reason): Value {
  const found = {
    cost,
    leads: n,
    qualified,
    costPerLead: per('leads'),
    costPerQualifiedLead: qualified === null ? null : per('qualified'),
    spendWithoutLeads: without('leads')
  }
  return told(found, 'no_cost_recorded', reason)
}

/** What leads cost. */
export const costPerLead = figure({
  name: 'cost-per-lead',
  version: 1,
  summary: 'What leads cost',
  definition,
  formula,
  unit: 'money in the currency of the answer, for each lead',
  dimensions: [...ofCampaign, ...ofChannel],
  source: 'Farris et al., Marketing Metrics.',
  parameters,
  picture: {
    whole: v => ({
      kind: 'bars',
      unit: 'money',
      names: ['Per lead', 'Per qualified lead'],
      series: [{ name: 'cost', values: [v.costPerLead, v.costPerQualifiedLead].map(numberOf) }]
    }),
    compared: { name: 'cost per lead', unit: 'money', of: v => v.costPerLead }
  },
  value,
  answer,
  data: givenCosts(fromRows)
})
