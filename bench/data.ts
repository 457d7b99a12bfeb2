import type pg from 'pg'

export const sizes = { companies: 10_000, contacts: 50_000, deals: 100_000 }

// Ids that grow with time, as the program makes them.
const id = (n: string) =>
  `(lpad(to_hex((extract(epoch from timestamptz '2026-01-01') * 1000)::bigint + ${n}), 12, '0') || '7000' ||
    '8000' || lpad(to_hex(${n}), 12, '0'))::uuid`

/** Fills a workspace with made-up records, straight into the tables. */
export async function fill(
  client: pg.Client,
  workspace: string,
  stage: string,
  pipeline: string
): Promise<void> {
  const common = `'${workspace}', ${id('n')}, now() - n * interval '1 second', now()`
  const columns = 'workspace_id, id, created_at, updated_at'
  await client.query(`insert into companies (${columns}, name, domain)
    select ${common}, 'Company ' || n, 'company' || n || '.example' from generate_series(1, ${sizes.companies}) n`)
  await client.query(`insert into contacts (${columns}, first_name, last_name, email, company_id)
    select ${common}, 'First ' || n, 'Last ' || n, 'person' || n || '@example.com', ${id(`1 + n % ${sizes.companies}`)}
    from generate_series(1, ${sizes.contacts}) n`)
  await client.query(`insert into deals (${columns}, name, pipeline_id, stage_id, status, stage_rows, opened_at,
      stage_entered_at, amount, currency, primary_contact_id, contacts)
    select ${common}, 'Deal ' || n, '${pipeline}', '${stage}', 'open', 1, now() - n * interval '1 minute', now(),
      n % 1000, 'EUR', contact, jsonb_build_array(jsonb_build_object('contactId', contact, 'role', null))
    from generate_series(1, ${sizes.deals}) n, lateral (select ${id(`1 + n % ${sizes.contacts}`)} as contact) c`)
  await client.query(`insert into deal_contacts (workspace_id, deal_id, contact_id)
    select workspace_id, id, primary_contact_id from deals`)
  await client.query('vacuum analyze')
}

/** The ids of some of the contacts. */
export async function contactIds(client: pg.Client, workspace: string): Promise<string[]> {
  const { rows } = await client.query<{ id: string }>(
    'select id from contacts where workspace_id = $1 order by md5(id::text) limit 1000',
    [workspace]
  )
  return rows.map(r => r.id)
}
