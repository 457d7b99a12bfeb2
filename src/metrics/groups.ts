import sql, { join, raw } from 'sql-template-tag'
import { may, visible } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import type { Resource } from '../kernel/resource.js'
import { Closed, Enum, List, Text, Type, type TObject } from '../kernel/schema.js'
import { JsonValue } from '../kernel/standard-schemas.js'
import { Bucket } from './buckets.js'
import { dimension, type Dimension, type GroupAt } from './dimensions.js'
import { described, refused, type Request } from './parameters.js'
import type { Frame } from './period.js'

/** The most groups that an answer has. */
export const mostGroups = 1000

/** Asks for groups of the subjects of a figure, which are of one of these resources. */
export const GroupByParameter = (...resources: readonly Resource[]) =>
  described(
    List(Text(100), 2),
    `Adds groups, at most ${mostGroups}, by up to two fields: those that ${resources.map(r => r.plural).join(' or ')} are filtered by, ` +
      '`customFields.x`, and fields of records that they point to, such as `owner.region`. Absent: none.'
  )

/** Which value of a field with a history groups. */
export const GroupAtParameter = () =>
  described(
    Enum('MetricGroupAt', ['first', 'last', 'current']),
    'Which value of a field with a history (the stage, status, owner or amount of a deal) groups: the first one, the one as of the figure, or that of the record now.',
    'first'
  )

/** A group of a figure; `buckets` where it can be cut by an interval too. */
export const Group = (value: TObject, name: string, bucket: TObject | undefined) =>
  Closed(
    {
      key: JsonValue('The values that the group has in common, by field; null where there is none.'),
      label: described(Text(1000), 'The same for readers: names instead of ids.'),
      value,
      ...(bucket && { buckets: Type.Optional(Type.Array(bucket, { description: 'With `interval`.' })) })
    },
    { 'x-type': name, description: 'The figure for a part of its subjects.' }
  )

/** The bucket and group types of a figure's answer, named after its value. */
export function partsOf(value: TObject): { bucket: TObject; group(withBuckets: boolean): TObject } {
  const name = value['x-type'] as string
  const bucket = Bucket(value, `${name}Bucket`)
  return {
    bucket,
    group: withBuckets => Group(value, `${name}Group`, withBuckets ? bucket : undefined)
  }
}

/** The parameters of groups as a request gave them. */
export interface GroupRequest {
  groupBy?: string[]
  groupAt?: GroupAt
}

/** The dimensions that a request groups the rows `alias` of a resource by; a 400 names one that there is not. */
export function dimensionsAsked(
  ctx: Context,
  resource: Resource,
  alias: string,
  { given, place }: Request<GroupRequest>,
  frame: Frame
): Dimension[] {
  const { groupBy = [], groupAt: at = 'first' } = given
  return groupBy.map((name, nth) => {
    const found = dimension({ ctx, frame, resource, alias, at, nth }, name)
    if (typeof found === 'string') throw refused(place, 'groupBy', found, 'unknown_field')
    return found
  })
}

const nobody = '–'

async function titlesOf(
  ctx: Context,
  resource: Resource | undefined,
  ids: string[]
): Promise<Map<string, string>> {
  if (!resource || ids.length === 0 || !may(ctx, resource.permissions.read)) return new Map()
  const columns = (resource.search?.title ?? ['name']).map(f => raw(`x."${resource.fields.get(f)!.column}"`))
  const rows = await ctx.db.query<{ id: string; title: string }>(sql`
    select x.id, concat_ws(' ', ${join(columns, ', ')}) as title from ${raw(`"${resource.table}" x`)}
    where ${visible(ctx, resource, 'x')} and x.id = any(${ids}::uuid[])`)
  return new Map(rows.map(r => [r.id, r.title]))
}

const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))

/** How groups with these keys are called: by the names of the records that the caller may see, else by their values. */
export async function labelsOf(
  ctx: Context,
  dimensions: readonly { of: Resource | undefined }[],
  keys: readonly (readonly unknown[])[]
): Promise<string[]> {
  const titles = await Promise.all(
    dimensions.map(({ of }, i) => {
      const ids = keys.map(k => k[i]).filter(v => v !== null) as string[]
      return titlesOf(ctx, of, [...new Set(ids)])
    })
  )
  const label = (value: unknown, i: number) =>
    value === null ? nobody : titles[i]!.get(value as string) || text(value)
  return keys.map(key => key.map(label).join(' · '))
}
