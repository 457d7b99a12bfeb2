/** What Kith is compared with: node:http, pg with named statements, JSON.stringify; no checks, no events but the same rows. */
import { createServer, type IncomingMessage } from 'node:http'
import pg from 'pg'
import { v7 as uuidv7 } from 'uuid'

const [url, workspace] = process.argv.slice(2) as [string, string]
const pool = new pg.Pool({ connectionString: url, max: 10, options: '-c jit=off' })

const columns = `id, version, first_name as "firstName", last_name as "lastName", email, phone, job_title as "jobTitle",
  company_id as "companyId", owner_id as "ownerId", relationships, lifecycle_stage as "lifecycleStage",
  source_channel as "sourceChannel", language, time_zone as "timeZone", country, address, birth_date as "birthDate",
  interests, needs, pain_points as "painPoints", tags, external_ids as "externalIds", custom_fields as "customFields",
  created_at as "createdAt", updated_at as "updatedAt", deleted_at as "deletedAt"`

const statements = {
  get: `select ${columns} from contacts where workspace_id = $1 and id = $2 and deleted_at is null`,
  list: `select ${columns} from contacts where workspace_id = $1 and deleted_at is null
    order by created_at desc, id desc limit $2`,
  create: `with made as (
      insert into contacts (workspace_id, id, created_at, updated_at, first_name, last_name, email)
      values ($1, $2, now(), now(), $3, $4, $5) returning *
    ), event as (
      insert into events (workspace_id, id, ord, type, resource, record_id, occurred_at, actor_type, request_id, data)
      select $1, $6, nextval('event_order'), 'contact.created', 'contact', id, now(), 'system', 'bench', to_json(made)
      from made returning ord, id
    ), outbox as (insert into event_outbox (workspace_id, ord, event_id) select $1, ord, id from event)
    select ${columns} from made`,
  page: `select id, version, first_name as "firstName", company_id as "companyId" from contacts
    where workspace_id = $1 and deleted_at is null order by created_at desc, id desc limit 50`,
  companies: `select id, name from companies where workspace_id = $1 and id = any($2::uuid[]) and deleted_at is null`,
  deals: `select p.id as parent, x.* from unnest($2::uuid[]) as p(id) cross join lateral (
      select d.id, d.name, d.amount from deal_contacts l join deals d on d.workspace_id = $1 and d.id = l.deal_id
        where l.workspace_id = $1 and l.contact_id = p.id and d.deleted_at is null
        order by d.created_at desc, d.id desc limit 6
    ) x`
}

type Row = Record<string, unknown>
const run = async (name: keyof typeof statements, values: unknown[]) =>
  (await pool.query<Row>({ name, text: statements[name], values })).rows

async function body(request: IncomingMessage): Promise<Row> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part as Buffer)
  return JSON.parse(Buffer.concat(parts).toString()) as Row
}

async function nested(): Promise<Row[]> {
  const contacts = await run('page', [workspace])
  const [companies, deals] = await Promise.all([
    run('companies', [workspace, contacts.map(c => c.companyId)]),
    run('deals', [workspace, contacts.map(c => c.id)])
  ])
  const names = new Map(companies.map(c => [c.id, c]))
  const byContact = new Map<unknown, Row[]>(contacts.map(c => [c.id, []]))
  for (const deal of deals) byContact.get(deal.parent)!.push(deal)
  return contacts.map(c => ({
    id: c.id,
    firstName: c.firstName,
    company: names.get(c.companyId) ?? null,
    deals: { nodes: byContact.get(c.id)!.slice(0, 5) }
  }))
}

async function answer(request: IncomingMessage): Promise<unknown> {
  if (request.url === '/graphql') {
    await body(request)
    return { data: { contacts: { nodes: await nested() } } }
  }
  if (request.method === 'POST') {
    const { firstName, lastName, email } = await body(request)
    return (await run('create', [workspace, uuidv7(), firstName, lastName, email, uuidv7()]))[0]
  }
  const id = request.url!.slice('/v1/contacts/'.length)
  if (id.length === 36) return (await run('get', [workspace, id]))[0]
  return { data: await run('list', [workspace, 50]) }
}

createServer((request, response) => {
  answer(request)
    .then(value => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify(value))
    })
    .catch((error: unknown) => {
      response.statusCode = 500
      response.end(String(error))
    })
}).listen(Number(process.env.PORT), '127.0.0.1', () => process.stdout.write('ready\n'))
