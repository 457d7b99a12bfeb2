import sql, { join, raw, type Sql } from 'sql-template-tag'
import { attachedOperation, type EntryPage, type EntryRequest } from '../../kernel/attached.js'
import { authorize, may, visible } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { parameterError } from '../../kernel/errors.js'
import { changedFields } from '../../kernel/history.js'
import type { Operation } from '../../kernel/operation.js'
import { resourceNamed, type Resource } from '../../kernel/resource.js'
import { Closed, List, Text, Type } from '../../kernel/schema.js'
import { suggestion } from '../../kernel/validate.js'
import { companies } from '../companies/resource.js'
import { contacts } from '../contacts/resource.js'
import { deals } from '../deals/resource.js'
import { leads } from '../leads/resource.js'
import { branches } from './branches.js'
import { boundOf, decodePlace, encodePlace, type Place } from './cursor.js'
import { kinds, parts, timelineEntry, TimelineKind, type Kind } from './entry.js'

const kindsOf: Record<string, readonly Kind[]> = {
  contact: kinds,
  company: kinds,
  lead: ['activity', 'conversion', 'change'],
  deal: ['activity', 'stage_move', 'conversion', 'change']
}

// What a kind tells of; the others tell of the record itself.
const subjects: Partial<Record<Kind, string>> = {
  activity: 'activity',
  stage_move: 'deal',
  conversion: 'lead'
}

const scopeOf = (resource: Resource, kind: Kind) =>
  resourceNamed(subjects[kind] ?? resource.name).permissions.read

/** The kinds to show: those asked for, each with its scope, or all that the caller may read. */
function chosenKinds(ctx: Context, resource: Resource, given: unknown): Kind[] {
  const known = kindsOf[resource.name]!
  if (given == null) return known.filter(kind => may(ctx, scopeOf(resource, kind)))
  const names = typeof given === 'string' ? given.split(',') : (given as string[])
  const unknown = names.find(name => !known.some(kind => kind === name))
  if (unknown !== undefined || names.length === 0) {
    const hint = suggestion(unknown ?? '', known) || ` Give ${known.join(', ')}.`
    const message = `The timeline of a ${resource.name} has no ${unknown ?? 'empty'} kind.${hint}`
    throw parameterError('kinds', message, 'unknown_kind')
  }
  const chosen = known.filter(kind => names.includes(kind))
  for (const kind of chosen) authorize(ctx, scopeOf(resource, kind))
  return chosen
}

interface Row extends Place {
  [column: string]: unknown
  record: string
  id: string | null
  actorType: string | null
  actorId: string | null
  data: Record<string, unknown>
}

const order = (alias: string) => raw(`${alias}.at desc, ${alias}.rank, ${alias}.key desc, ${alias}.seq desc`)

function timelineSql(
  ctx: Context,
  resource: Resource,
  ids: readonly string[],
  parts: Sql[],
  limit: number
): Sql {
  return sql`
    select s.id as record, e.id, e.kind, e.at, e.key, e.seq, e.data,
      coalesce(e.actor_type, told.actor_type) as "actorType", coalesce(e.actor_id, told.actor_id) as "actorId"
    from (
      select t.id from ${raw(`"${resource.table}" t`)} where ${visible(ctx, resource, 't')} and t.id = any(${ids}::uuid[])
    ) s left join lateral (
      select x.* from (${join(
        parts.map(part => sql`(${part})`),
        ' union all '
      )}) x
      order by ${order('x')} limit ${limit}
    ) e on true left join lateral (
      select v.actor_type, v.actor_id from events v
      where v.workspace_id = ${ctx.workspaceId} and v.resource = split_part(e.author, '.', 1)
        and v.record_id = e.key and v.type = e.author limit 1
    ) told on e.author is not null
    order by s.id, ${order('e')}`
}

const nothing = Object.fromEntries(Object.values(parts).map(name => [name, null]))

function shown({ id, kind, at, key, seq, actorType, actorId, data }: Row) {
  const { before, after, ...change } = data as Record<string, Record<string, unknown>>
  const part = kind === 'change' ? { ...change, fields: changedFields(before!, after!) } : data
  return {
    ...nothing,
    id: id!,
    kind,
    at,
    actorType,
    actorId,
    [parts[kind]]: part,
    cursor: encodePlace({ at, kind, key, seq })
  }
}

async function readTimelines(
  ctx: Context,
  resource: Resource,
  ids: readonly string[],
  { size, after, input }: EntryRequest
): Promise<Map<string, EntryPage>> {
  const place = after === undefined ? undefined : decodePlace(after)
  const limit = size + 1
  const selected = chosenKinds(ctx, resource, input.kinds).map(kind =>
    branches[kind]({ ctx, resource, bound: boundOf(kind, place), limit })
  )
  const rows = await ctx.db.query<Row>(timelineSql(ctx, resource, ids, selected, limit))
  const pages = new Map<string, EntryPage>()
  for (const row of rows) {
    const page = pages.get(row.record) ?? { rows: [], more: false }
    pages.set(row.record, page)
    if (row.id === null) continue
    if (page.rows.length < size) page.rows.push(shown(row))
    else page.more = true
  }
  return pages
}

const description = 'Only these kinds; each needs its scope. Without it those that the caller may read.'

const timeline = (resource: Resource): Operation =>
  attachedOperation({
    resource,
    name: 'timeline',
    field: 'timelineEntries',
    summary: `What happened to a ${resource.name}, latest first`,
    description: `${[...kindsOf[resource.name]!].join(', ')} in one list by business time.`,
    entry: timelineEntry,
    query: Closed({ kinds: Type.Optional(Text(200, { description: `${description} Comma-separated.` })) }),
    args: Closed({ kinds: Type.Optional({ ...List(TimelineKind(), kinds.length), description }) }),
    read: (ctx, ids, request) => readTimelines(ctx, resource, ids, request)
  })

/** The timelines of the records that something happens to. */
export const timelineOperations: Operation[] = [contacts, companies, leads, deals].map(timeline)
