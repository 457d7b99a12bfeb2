import sql, { raw, type Sql } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import { jsonRecord } from '../../kernel/columns.js'
import type { Context } from '../../kernel/context.js'
import type { Resource } from '../../kernel/resource.js'
import { activities } from '../activities/resource.js'
import { deals } from '../deals/resource.js'
import { leads } from '../leads/resource.js'
import type { Bound } from './cursor.js'
import { kinds, type Kind } from './entry.js'

/** One kind of entries of the records `s`, read no further than a page. */
export interface Branch {
  ctx: Context
  resource: Resource
  bound: Bound
  limit: number
}

const json = (members: Record<string, string>) =>
  raw(
    `json_build_object(${Object.entries(members)
      .map(([name, value]) => `'${name}', ${value}`)
      .join(', ')})`
  )

const instant = (column: string) => `to_char(${column} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`

// Every branch has the same columns: `key` and `seq` order what happened at the same moment, `author` is the type
// of the event that tells the actor, where the row does not.
interface Columns {
  id: string
  at: string
  key: string
  seq?: string
  actor?: string
  author?: string
}

const columns = (kind: Kind, { id, at, key, seq = '0', actor, author }: Columns) =>
  raw(`${id}::text as id, '${kind}' as kind, ${kinds.indexOf(kind)} as rank, ${at} as at, ${key} as key,
    ${seq}::bigint as seq, ${actor ? `${actor}.actor_type, ${actor}.actor_id` : 'null::text as actor_type, null::uuid as actor_id'},
    ${author ? `'${author}'` : 'null::text'} as author`)

const before = ({ at, key }: Bound, row: string) => sql`${raw(row)} < (${at}::timestamptz, ${key}::uuid)`

const beforeSeq = ({ at, key, seq }: Bound, row: string) =>
  sql`${raw(row)} < (${at}::timestamptz, ${key}::uuid, ${seq}::bigint)`

// The column of an activity, lead or deal that names a record of the resource.
const reference: Record<string, string> = {
  contact: 'contact_id',
  company: 'company_id',
  lead: 'lead_id',
  deal: 'deal_id'
}

function activity({ ctx, resource, bound, limit }: Branch): Sql {
  return sql`
    select ${columns('activity', { id: 'a.id', at: 'a.occurred_at', key: 'a.id', author: 'activity.created' })}, ${jsonRecord(activities, 'a')} as data
    from activities a
    where ${visible(ctx, activities, 'a')} and ${raw(`a.${reference[resource.name]!} = s.id`)} and a.deleted_at is null
      and ${before(bound, '(a.occurred_at, a.id)')}
    order by a.occurred_at desc, a.id desc limit ${limit}`
}

const dealsOf: Record<string, Sql> = {
  contact: raw(`d.id in (
    select x.deal_id from deal_contacts x where x.workspace_id = d.workspace_id and x.contact_id = s.id
  ) and d.deleted_at is null`),
  company: raw('d.company_id = s.id and d.deleted_at is null'),
  deal: raw('d.id = s.id')
}

// The history of each deal is asked in its index alone for the last moves; only those that are shown are then read.
function stageMove({ ctx, resource, bound, limit }: Branch): Sql {
  const data = json({
    dealId: 'm.deal_id',
    dealName: 'f.deal_name',
    pipelineId: 'm.pipeline_id',
    pipelineName: 'm.pipeline_name',
    stageId: 'm.stage_id',
    stageName: 'm.stage_name',
    stageKind: 'm.kind',
    fromStageId: 'p.stage_id',
    fromStageName: 'p.stage_name',
    recordedAt: instant('m.recorded_at')
  })
  return sql`
    select ${columns('stage_move', { id: `(m.deal_id || ':' || m.seq)`, at: 'm.at', key: 'm.deal_id', seq: 'm.seq', actor: 'm' })}, ${data} as data
    from (
      select d.name as deal_name, h.* from deals d cross join lateral (
        select h.deal_id, h.at, h.seq from deal_history h
        where h.workspace_id = ${ctx.workspaceId} and h.deal_id = d.id and h.stage_id is not null
          and ${beforeSeq(bound, '(h.at, h.deal_id, h.seq)')}
        order by h.at desc, h.seq desc limit ${limit}
      ) h
      where ${visible(ctx, deals, 'd')} and ${dealsOf[resource.name]!}
      order by h.at desc, h.deal_id desc, h.seq desc limit ${limit}
    ) f join deal_history m
      on m.workspace_id = ${ctx.workspaceId} and m.deal_id = f.deal_id and m.seq = f.seq
    left join lateral (
      select p.stage_id, p.stage_name from deal_history p
      where p.workspace_id = ${ctx.workspaceId} and p.deal_id = f.deal_id and p.stage_id is not null
        and (p.at, p.seq) < (f.at, f.seq)
      order by p.at desc, p.seq desc limit 1
    ) p on true`
}

function conversion({ ctx, resource, bound, limit }: Branch): Sql {
  const own = resource.name === 'lead'
  const mine = own ? 'l.id = s.id' : `l.${reference[resource.name]!} = s.id and l.deleted_at is null`
  const data = json({
    leadId: 'l.id',
    contactId: 'l.contact_id',
    companyId: 'l.company_id',
    dealId: 'l.deal_id'
  })
  return sql`
    select ${columns('conversion', { id: 'l.id', at: 'l.converted_at', key: 'l.id', author: 'lead.converted' })}, ${data} as data
    from leads l
    where ${visible(ctx, leads, 'l')} and ${raw(mine)} and ${before(bound, '(l.converted_at, l.id)')}
    order by l.converted_at desc, l.id desc limit ${limit}`
}

function lifecycle({ ctx, resource, bound, limit }: Branch): Sql {
  return sql`
    select ${columns('lifecycle', { id: 'h.id', at: 'h.at', key: 'h.record_id', seq: 'h.seq', actor: 'h' })},
      ${json({ stage: 'h.stage', recordedAt: instant('h.recorded_at') })} as data
    from lifecycle_history h
    where h.workspace_id = ${ctx.workspaceId} and h.resource = ${resource.name} and h.record_id = s.id
      and (h.at, h.seq) < (${bound.at}::timestamptz, ${bound.seq}::bigint)
    order by h.at desc, h.seq desc limit ${limit}`
}

// Fields that tell of a change that another kind of entry tells, and some that are told beside others.
const toldElsewhere: Record<string, string[]> = {
  deal: ['stageId', 'pipelineId', 'status', 'stageEnteredAt', 'openedAt', 'closedAt'],
  lead: ['convertedAt']
}
const toldBeside = ['lifecycleStage', 'leadId']

function change({ ctx, resource, bound, limit }: Branch): Sql {
  const data = sql`json_build_object('version', c.version, 'requestId', c.request_id,
    'before', c.before - ${toldBeside}::text[], 'after', c.after - ${toldBeside}::text[])`
  return sql`
    select ${columns('change', { id: 'c.id', at: 'c.at', key: 'c.id', actor: 'c' })}, ${data} as data
    from record_changes c
    where c.workspace_id = ${ctx.workspaceId} and c.resource = ${resource.name} and c.record_id = s.id
      and not c.after ?| ${toldElsewhere[resource.name] ?? []}::text[] and c.after - ${toldBeside}::text[] <> '{}'
      and ${before(bound, '(c.at, c.id)')}
    order by c.at desc, c.id desc limit ${limit}`
}

/** How each kind of entries is read, one page of it and no more. */
export const branches: Record<Kind, (branch: Branch) => Sql> = {
  activity,
  stage_move: stageMove,
  conversion,
  lifecycle,
  change
}
