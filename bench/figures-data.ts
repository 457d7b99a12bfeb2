import type pg from 'pg'

/** How many records a workspace of the figures' bench has. */
export const sizes = {
  companies: 50_000,
  contacts: 50_000,
  leads: 200_000,
  deals: 300_000,
  orders: 1_000_000,
  touches: 1_000_000,
  subscriptions: 20_000
}

export interface Pipeline {
  id: string
  stages: { id: string; name: string; kind: 'open' | 'won' | 'lost' }[]
}

// Ids that grow with time, as the program makes them; a letter tells the tables apart.
const idOf = (table: string, n: string) =>
  `(lpad(to_hex((extract(epoch from timestamptz '2023-01-01') * 1000)::bigint + ${n}), 12, '0') || '7000' ||
    '8${table}00' || lpad(to_hex(${n}), 12, '0'))::uuid`

const channels = `(array['organic', 'paid_search', 'social', 'email', 'referral', 'event'])`
const start = `timestamptz '2023-01-01'`

/** Fills a workspace with three years of made-up business, straight into the tables; `scale` 1 is the size above. */
export async function fill(
  client: pg.Client,
  workspace: string,
  pipeline: Pipeline,
  scale: number
): Promise<void> {
  const open = pipeline.stages.filter(s => s.kind === 'open').map(s => `'${s.id}'::uuid`)
  const won = pipeline.stages.find(s => s.kind === 'won')!.id
  const lost = pipeline.stages.find(s => s.kind === 'lost')!.id
  const count = (name: keyof typeof sizes) => Math.round(sizes[name] * scale)
  const some = (name: keyof typeof sizes, n: string) => `1 + ${n} % ${count(name)}`
  const common = 'workspace_id, id, created_at, updated_at'
  const row = (table: string, at: string) => `'${workspace}', ${idOf(table, 'n')}, ${at}, ${at}`
  const fillTable = (name: keyof typeof sizes) => `generate_series(1, ${count(name)}) n`

  await client.query('select setseed(0.5)')
  // No deal is older than its pipeline.
  for (const table of ['pipelines', 'stages']) {
    await client.query(`update ${table} set created_at = ${start} where workspace_id = '${workspace}'`)
  }
  await client.query(`insert into companies (${common}, name, industry)
    select ${row('a', start)}, 'Company ' || n, 'Industry ' || n % 20 from ${fillTable('companies')}`)
  await client.query(`insert into contacts (${common}, first_name)
    select ${row('b', start)}, 'Contact ' || n from ${fillTable('contacts')}`)
  await client.query(`create temporary table made as
    select d.*, least(opened + (steps - (status = 'open')::int) * speed * interval '1 day', now()) as entered
    from (
      select n, opened, least(steps, 4) as steps, speed,
        case when ended < 0.3 then 'open' when ended < 0.6 then 'won' else 'lost' end as status
      from (select n, ${start} + random() * interval '1000 days' as opened, 1 + floor(random() * 4.6)::int as steps,
        random() as ended, 1 + random() * 30 as speed from ${fillTable('deals')}) r
    ) d`)
  await client.query(`insert into leads (${common}, first_name, captured_at, source_channel, status, qualified_at,
      converted_at, company_id, contact_id)
    select ${row('d', 'at')}, 'Lead ' || n, at, ${channels}[1 + (n * 7) % 6],
      case when n <= ${count('leads')} / 2 then 'converted' else 'new' end,
      case when n % 10 < 7 then at + interval '3 days' end, case when n <= ${count('leads')} / 2 then at + interval '5 days' end,
      case when n <= ${count('leads')} / 2 then ${idOf('a', some('companies', 'n'))} end,
      case when n <= ${count('leads')} / 2 then ${idOf('b', some('contacts', 'n'))} end
    from (select n, coalesce(m.opened - interval '6 days', ${start} + random() * interval '1000 days') as at
      from ${fillTable('leads')} left join made m using (n)) l`)
  await client.query(`insert into deals (${common}, name, pipeline_id, stage_id, status, stage_rows, opened_at,
      stage_entered_at, furthest_position, way, way_from, way_recorded_at, amount, currency, company_id,
      primary_contact_id, source_channel, closed_at, expected_close_date, probability, lead_id)
    select '${workspace}', ${idOf('c', 'n')}, opened, entered, 'Deal ' || n, '${pipeline.id}', way[cardinality(way)],
      status, cardinality(way), opened, entered, steps - 1, way, opened, entered,
      round((random() * 10000)::numeric, 2), 'EUR', ${idOf('a', some('companies', 'n'))},
      ${idOf('b', some('contacts', 'n'))}, ${channels}[1 + n % 6], case when status <> 'open' then entered end,
      (opened + interval '120 days')::date, 0.2,
      case when n <= ${count('leads')} / 2 then ${idOf('d', 'n')} end
    from made, lateral (select (array[${open.join()}])[1:steps] || case status
      when 'won' then array['${won}'::uuid] when 'lost' then array['${lost}'::uuid] else '{}' end as way) w`)
  await client.query(`update leads t set deal_id = d.id from deals d
    where t.workspace_id = '${workspace}' and d.workspace_id = '${workspace}' and d.lead_id = t.id`)
  await client.query(`insert into deal_history (workspace_id, deal_id, seq, at, recorded_at, actor_type, pipeline_id,
      stage_id, position, kind, stage_name, pipeline_name, valued, amount, currency, probability, expected_close_date)
    select '${workspace}', ${idOf('c', 'n')}, step, least(at, now()), least(at, now()), 'system', '${pipeline.id}',
      case when step <= steps then (array[${open.join()}])[step] when m.status = 'won' then '${won}'::uuid else '${lost}' end,
      step - 1, case when step <= steps then 'open' else m.status end, 'Stage', 'Sales', step = 1,
      case when step = 1 then d.amount end, case when step = 1 then 'EUR' end,
      case when step = 1 then 0.2::float8 end, case when step = 1 then d.expected_close_date end
    from made m join deals d on d.workspace_id = '${workspace}' and d.id = ${idOf('c', 'n')},
      lateral generate_series(1, steps + (m.status <> 'open')::int) step,
      lateral (select opened + (step - 1) * speed * interval '1 day' as at) t`)
  await client.query(`insert into touches (${common}, lead_id, channel, occurred_at, seq)
    select ${row('e', 'at')}, ${idOf('d', some('leads', 'n'))}, ${channels}[1 + floor(random() * 6)::int], at, 0
    from ${fillTable('touches')}, lateral (select ${start} + random() * interval '1000 days' + n * interval '0' as at) t`)
  await client.query(`insert into orders (${common}, company_id, amount, currency, direct_cost, ordered_at)
    select ${row('f', 'at')}, ${idOf('a', 'buyer')},
      round((20 + random() * 500)::numeric, 2), 'EUR', 5, at
    from ${fillTable('orders')}, lateral (select ${start} + random() * interval '1000 days' + n * interval '0' as at,
      (1 + floor(power(random(), 2) * ${count('companies')} + n * 0))::int as buyer) t`)
  await client.query(`insert into costs (${common}, date, category, channel, amount, currency)
    select '${workspace}', gen_random_uuid(), now(), now(), day::date, 'marketing', channel, 1000, 'EUR'
    from generate_series(${start}, ${start} + interval '1000 days', interval '1 week') day, unnest(${channels}) channel`)
  await client.query(`insert into subscriptions (${common}, company_id, plan, start_date, end_date, recurring_amount, currency)
    select ${row('9', start)}, ${idOf('a', some('companies', 'n'))}, 'Plan', day,
      case when random() < 0.4 then day + (random() * 500)::int end, 50, 'EUR'
    from ${fillTable('subscriptions')}, lateral (select date '2023-01-01' + (random() * 900)::int + n * 0 as day) t`)
  await client.query('drop table made')
}
