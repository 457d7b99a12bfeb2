/** A figure that is asked for, and the SQL of its core: the best that one would write by hand for the same records. */
export interface Work {
  name: string
  path: string
  body?: object
  /** With the workspace as $1. */
  core: string
}

const ways = `select way, count(*) from (
    select array_agg(stage_id order by at, seq) as way from deal_history
    where workspace_id = $1 and stage_id is not null group by deal_id
  ) w group by way`

const visits = `select stage_id, count(*), percentile_cont(0.5) within group (order by days) from (
    select stage_id, extract(epoch from lead(at) over (partition by deal_id order by at, seq) - at) / 86400 as days
    from deal_history where workspace_id = $1 and stage_id is not null
  ) v group by stage_id`

const closed = `select status, count(*), sum(amount), avg(amount),
    percentile_cont(0.5) within group (order by extract(epoch from closed_at - opened_at))
  from deals where workspace_id = $1 and deleted_at is null group by status`

const leads = `select count(*), count(qualified_at), count(deal_id) from leads
  where workspace_id = $1 and deleted_at is null`

const byCustomer = `select count(*), sum(total) from (
    select customer_id, count(*), count(distinct (ordered_at at time zone 'UTC')::date), sum(amount) as total,
      min(ordered_at), max(ordered_at)
    from orders where workspace_id = $1 and deleted_at is null group by customer_id
  ) c`

const months = `select first, month, count(*) from (
    select distinct customer_id, date_trunc('month', min(ordered_at) over (partition by customer_id)) as first,
      date_trunc('month', ordered_at) as month
    from orders where workspace_id = $1 and deleted_at is null
  ) m group by 1, 2`

/** How the deals stood at some moments. */
const stood = (...moments: string[]) => `select n, kind, stage_id, count(*), sum(amount),
    percentile_cont(0.5) within group (order by days)
  from (
    select m.n, w.kind, w.stage_id, d.amount, extract(epoch from m.at - w.first) / 86400 as days
    from (
      select deal_id, stage_id, kind, at, lead(at) over way as until, first_value(at) over way as first
      from deal_history where workspace_id = $1 and stage_id is not null window way as (partition by deal_id order by at, seq)
    ) w join (values ${moments.map((at, n) => `(${n}, timestamptz '${at}')`).join()}) m(n, at)
      on m.at >= w.at and (w.until is null or m.at < w.until)
    join deals d on d.workspace_id = $1 and d.id = w.deal_id and d.deleted_at is null
  ) s group by n, kind, stage_id`

const quarters = ['2026-10-01', '2026-07-01', '2026-04-01', '2026-01-01', '2025-10-01']

const journeys = `select path, count(*) from (
    select array_agg(t.channel order by t.occurred_at, t.seq) as path
    from leads l join touches t on t.workspace_id = $1 and t.lead_id = l.id and t.occurred_at <= coalesce(l.converted_at, now())
    where l.workspace_id = $1 and l.deleted_at is null and t.deleted_at is null group by l.id
  ) j group by path`

const costs = `select channel, sum(amount) from costs where workspace_id = $1 and deleted_at is null group by channel`

const subscriptions = `select months, count(*) from (
    select extract(month from age(coalesce(end_date, current_date), start_date)) as months
    from subscriptions where workspace_id = $1 and deleted_at is null
  ) s group by months`

const historic = '2024-03-01T00:00:00Z'

export const works: Work[] = [
  { name: 'funnel', path: 'funnel', core: ways },
  {
    name: 'funnel of a month',
    path: 'funnel?from=2024-03-01&to=2024-04-01',
    core: `select way, count(*) from (
        select array_agg(h.stage_id order by h.at, h.seq) as way
        from deals d join deal_history h on h.workspace_id = $1 and h.deal_id = d.id and h.stage_id is not null
        where d.workspace_id = $1 and d.opened_at >= '2024-03-01' and d.opened_at < '2024-04-01' group by d.id
      ) w group by way`
  },
  { name: 'funnel by month', path: 'funnel?interval=month', core: ways },
  { name: 'funnel by channel', path: 'funnel?groupBy=sourceChannel', core: ways },
  { name: 'funnel of then', path: `funnel?asOf=${historic}`, core: ways },
  { name: 'stage flow', path: 'stage-flow', core: visits },
  { name: 'time in stage', path: 'time-in-stage', core: visits },
  { name: 'time to close', path: 'time-to-close', core: closed },
  { name: 'win rate', path: 'win-rate', core: closed },
  { name: 'velocity', path: 'velocity', core: closed },
  { name: 'stalled deals', path: 'stalled-deals', core: visits },
  { name: 'lead funnel', path: 'lead-funnel', core: leads },
  { name: 'cost per lead', path: 'cost-per-lead?groupBy=sourceChannel', core: costs },
  { name: 'acquisition cost', path: 'acquisition-cost', core: byCustomer },
  { name: 'attribution', path: 'attribution', core: journeys },
  { name: 'retention', path: 'retention', core: months },
  { name: 'churn', path: 'churn', core: subscriptions },
  { name: 'lifetime value', path: 'lifetime-value', core: byCustomer },
  { name: 'lifetime value, simple', path: 'lifetime-value?method=simple', core: byCustomer },
  { name: 'lifetime value, BG/NBD', path: 'lifetime-value?method=bg_nbd', core: byCustomer },
  {
    name: 'forecast',
    path: 'forecast?from=2026-10-01&to=2027-01-01&deals=open',
    core: stood('now', ...quarters)
  },
  {
    name: 'waterfall',
    path: 'forecast-waterfall?from=2025-01-01&to=2025-04-01',
    core: stood('2025-04-01', '2025-01-01')
  },
  {
    name: 'lead score',
    path: 'lead-score',
    body: {
      features: [{ field: 'sourceChannel', kind: 'category' }],
      outcome: { status: { eq: 'converted' } }
    },
    core: leads
  }
]
