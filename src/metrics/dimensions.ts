import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { authorize, visible } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { resourceNamed, type FieldInfo, type Resource } from '../kernel/resource.js'
import type { Kind } from '../kernel/schema.js'
import { suggestion } from '../kernel/validate.js'
import { touches } from '../resources/touches/resource.js'
import { dealStage, dealStageColumns } from './deal-stages.js'
import { openedThen } from './deal-state.js'
import { dealValueColumns, dealValues } from './deal-values.js'
import type { Frame } from './period.js'
import { recordsThen } from './records-then.js'

/** When the value is read that a subject is grouped by. */
export type GroupAt = 'first' | 'last' | 'current'

/** A field that subjects are grouped by: where its value is found, and how it is told. */
export interface Dimension {
  name: string
  joins: Sql
  value: Sql
  /** The value as JSON. */
  shown(value: Sql): Sql
  /** What its ids are the ids of. */
  of: Resource | undefined
}

interface Place {
  ctx: Context
  frame: Frame
  resource: Resource
  alias: string
  at: GroupAt
  /** The number of the dimension, which its joins are named by. */
  nth: number
}

const unfit = new Set<Kind>(['links', 'list', 'json', 'object', 'externalIds', 'customFields'])
const customName = /^[A-Za-z][A-Za-z0-9_]{0,63}$/
const customPrefix = 'customFields.'

const ways = ['firstTouch', 'lastTouch']

/** The column that holds the lead of a subject that has touches. */
const leadOf: Record<string, string> = { deal: 'lead_id', lead: 'id' }

const groupable = (resource: Resource) =>
  resource.filters.filter(name => !unfit.has(resource.fields.get(name)!.kind))

/** The fields of a resource and one hop away that figures of it can be grouped by, without those of the workspace. */
export function dimensionsOf(resource: Resource): string[] {
  const hops = Object.entries(resource.relations)
    .filter(([, link]) => link.kind === 'one')
    .flatMap(([name, link]) => groupable(resourceNamed(link.target)).map(field => `${name}.${field}`))
  const touched = resource.name in leadOf ? ways.flatMap(w => [`${w}.channel`, `${w}.campaignId`]) : []
  return [...groupable(resource), ...hops, ...touched]
}

const shownAs: Partial<Record<Kind, (value: Sql) => Sql>> = {
  instant: v => sql`to_jsonb(to_char(${v}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'))`,
  decimal: v => sql`to_jsonb(trim_scale(${v})::text)`,
  customFields: v => v
}
const asJson = (value: Sql) => sql`to_jsonb(${value})`

/** What an id field of a resource points to. */
function targetOf(resource: Resource, field: string): Resource | undefined {
  const link = Object.values(resource.relations).find(r => r.kind === 'one' && r.field === field)
  return link && resourceNamed(link.target)
}

function fieldOf(resource: Resource, name: string): FieldInfo | undefined {
  if (name.startsWith(customPrefix)) {
    return customName.test(name.slice(customPrefix.length)) ? resource.fields.get('customFields') : undefined
  }
  return groupable(resource).includes(name) ? resource.fields.get(name) : undefined
}

/** The field's value in a row of its table; null of JSON is no value. */
function columnOf(field: FieldInfo, name: string, alias: string): Sql {
  const column = raw(`${alias}."${field.column}"`)
  if (field.kind !== 'customFields') return column
  return sql`nullif(${column} -> ${name.slice(customPrefix.length)}, 'null'::jsonb)`
}

type Found = Omit<Dimension, 'name'>

const told = (field: FieldInfo) => shownAs[field.kind] ?? asJson

// Where a field is found: in the history of a deal, where that tells it, else in the record.
function found(place: Place, field: FieldInfo, name: string): Pick<Dimension, 'joins' | 'value'> {
  const { ctx, frame, resource, alias, at, nth } = place
  const as = `v${nth}`
  if (resource.name === 'deal' && at !== 'current') {
    const stage = dealStageColumns[name]
    if (stage !== undefined) return dealStage(ctx, frame, alias, as, at, stage)
    const column = dealValueColumns[name]
    if (column !== undefined)
      return { joins: dealValues(ctx, frame, alias, as, at), value: raw(`${as}.${column}`) }
    if (name === 'openedAt') return { joins: empty, value: sql`(${openedThen(ctx, frame, alias)})` }
  }
  return { joins: empty, value: columnOf(field, name, alias) }
}

function own(place: Place, name: string): Found | undefined {
  const field = fieldOf(place.resource, name)
  return field && { ...found(place, field, name), shown: told(field), of: targetOf(place.resource, name) }
}

function hop(place: Place, relation: string, name: string): Found | undefined {
  const { ctx, frame, resource, nth } = place
  const link = Object.hasOwn(resource.relations, relation) ? resource.relations[relation] : undefined
  if (link?.kind !== 'one') return undefined
  const target = resourceNamed(link.target)
  const field = fieldOf(target, name)
  const base = own(place, link.field)
  if (!field || !base) return undefined
  authorize(ctx, target.permissions.read)
  const as = raw(`g${nth}`)
  return {
    joins: sql`${base.joins} left join (
      select x.id, ${columnOf(field, name, 'x')} as value from ${recordsThen(ctx, frame, target, 'x')}
      where ${visible(ctx, target, 'x')} and x.deleted_at is null
    ) ${as} on ${as}.id = ${base.value}`,
    value: sql`${as}.value`,
    shown: told(field),
    of: targetOf(target, name)
  }
}

function touch({ ctx, frame, resource, alias, nth }: Place, way: string, name: string): Found | undefined {
  const lead = leadOf[resource.name]
  const field = fieldOf(touches, name)
  if (!ways.includes(way) || lead === undefined || !field) return undefined
  authorize(ctx, touches.permissions.read)
  const as = raw(`g${nth}`)
  const order = raw(
    way === 'firstTouch' ? 't.occurred_at, t.seq, t.id' : 't.occurred_at desc, t.seq desc, t.id desc'
  )
  return {
    joins: sql`left join (
      select distinct on (t.lead_id) t.lead_id as id, ${columnOf(field, name, 't')} as value from ${recordsThen(ctx, frame, touches, 't')}
      where ${visible(ctx, touches, 't')} and t.deleted_at is null and t.occurred_at <= ${frame.asOf}::timestamptz
        and t.created_at <= ${frame.knownAt}::timestamptz
      order by t.lead_id, ${order}
    ) ${as} on ${as}.id = ${raw(`${alias}.${lead}`)}`,
    value: sql`${as}.value`,
    shown: told(field),
    of: targetOf(touches, name)
  }
}

/** The dimension of that name, or a sentence on what there is instead. */
export function dimension(place: Place, name: string): Dimension | string {
  const dot = name.indexOf('.')
  const [first, rest] = [name.slice(0, dot), name.slice(dot + 1)]
  const found =
    own(place, name) ?? (dot < 0 ? undefined : (hop(place, first, rest) ?? touch(place, first, rest)))
  if (found) return { name, ...found }
  return `${name} cannot be grouped by.${suggestion(name, dimensionsOf(place.resource))}`
}
