import sql, { join, raw, type Sql } from 'sql-template-tag'
import { visible } from './authorize.js'
import { publicFields, selectList } from './columns.js'
import { readByIds } from './coalesce.js'
import { type Context, type Row, type TransactionContext } from './context.js'
import { pointing } from './links.js'
import { encodeCursor, maxPageSize, pageSql, sortKey, type PageRequest } from './page.js'
import type { Resource } from './resource.js'

/** A record with its public fields, or those of them that were asked for; always with `id`. */
export type RecordRow = Row & { id: string; version: number }

/** Rows in the order asked for, and what a surface needs to page on. */
export interface Page {
  rows: RecordRow[]
  /** Whether there are rows beyond the page in the direction it was read. */
  more: boolean
  cursor(row: RecordRow): string
  totalCount?: number
}

export interface ListRequest extends PageRequest {
  fields?: readonly string[]
  where?: Sql
  deleted?: boolean
  count?: boolean
}

const from = (resource: Resource) => raw(`"${resource.table}" t`)
const inBin = (deleted: boolean | undefined) =>
  deleted ? raw('t.deleted_at is not null') : raw('t.deleted_at is null')

/** The record, or undefined where it is unknown, another workspace's, out of scope or (unless `deleted`) in the bin. */
export async function findRecord(
  ctx: Context,
  resource: Resource,
  id: string,
  options: { fields?: readonly string[]; deleted?: boolean } = {}
): Promise<RecordRow | undefined> {
  const select = selectList(resource, 't', options.fields ?? publicFields(resource))
  const bin = options.deleted ? sql`true` : inBin(false)
  const rows = sql`select ${select} from ${from(resource)} where ${visible(ctx, resource, 't')} and ${bin}`
  const key = id.toLowerCase()
  return (await readByIds<RecordRow>(ctx.db, rows, [key])).get(key)
}

/** The records with these ids that the caller may see, by id. */
export async function findRecords(
  ctx: Context,
  resource: Resource,
  ids: readonly string[],
  fields: readonly string[] = publicFields(resource)
): Promise<Map<string, RecordRow>> {
  if (ids.length === 0) return new Map()
  const rows = sql`select ${selectList(resource, 't', fields)} from ${from(resource)}
      where ${visible(ctx, resource, 't')} and ${inBin(false)}`
  return readByIds(ctx.db, rows, ids)
}

/**
 * The same, locked: what is decided on them holds until the transaction ends. With `update` nothing is made meanwhile
 * that refers to them.
 */
export async function lockRecords(
  ctx: TransactionContext,
  resource: Resource,
  ids: readonly string[],
  strength: 'no key update' | 'update' = 'no key update'
): Promise<Map<string, RecordRow>> {
  const rows = await ctx.db.query<RecordRow>(
    sql`select ${selectList(resource, 't', publicFields(resource))} from ${from(resource)}
        where ${visible(ctx, resource, 't')} and t.id = any(${ids}::uuid[]) and ${inBin(false)}
        order by t.id for ${raw(strength)} of t`
  )
  return new Map(rows.map(r => [r.id, r]))
}

function toPage(resource: Resource, request: ListRequest, found: RecordRow[]): Page {
  const rows = found.length > request.size ? found.slice(0, request.size) : found
  return {
    rows: request.backward ? rows.reverse() : rows,
    more: found.length > request.size,
    cursor: row => encodeCursor(resource, request.sort, row[sortKey] as string, row.id)
  }
}

// Of a size that it does not know PostgreSQL expects a tenth of the table, so it plans each page anew for its size. A
// list that only its workspace decides needs that not; one with a filter does, for its values.
const pagePlannedOnce = (rows: Sql, limit: Sql) =>
  sql`select * from (${rows} limit ${raw(String(maxPageSize + 1))}) page ${limit}`

/** One page of a list; one statement, and one more for the total where it is asked for. */
export async function listRecords(ctx: Context, resource: Resource, request: ListRequest): Promise<Page> {
  const part = pageSql(resource, 't', request)
  const where = sql`${visible(ctx, resource, 't')} and ${inBin(request.deleted)} and ${request.where ?? sql`true`}`
  const select = selectList(resource, 't', request.fields ?? publicFields(resource))
  const rows = sql`select ${select}${part.key} from ${from(resource)} where ${where} and ${part.where} ${part.order}`
  const page = ctx.db.query<RecordRow>(
    where.values.length === 1 ? pagePlannedOnce(rows, part.limit) : sql`${rows} ${part.limit}`
  )
  if (!request.count) return toPage(resource, request, await page)
  const count = ctx.db.query<{ n: number }>(
    sql`select count(*)::int as n from ${from(resource)} where ${where}`
  )
  const [found, [total]] = await Promise.all([page, count])
  return { ...toPage(resource, request, found), totalCount: total!.n }
}

// The first rows of each parent. A column of the record has an index in the order asked for, so that few are read;
// rows of links have none, and to sort them all at once costs less than once per parent.
function firstByParent(
  ctx: Context,
  resource: Resource,
  parentField: string,
  parents: readonly string[],
  request: ListRequest
): Sql {
  const part = pageSql(resource, 't', request)
  const theirs = pointing(ctx, resource, parentField, 't')
  const select = sql`${selectList(resource, 't', request.fields ?? publicFields(resource))}${part.key}`
  const where = sql`${visible(ctx, resource, 't')} and ${inBin(false)} and ${request.where ?? sql`true`} and ${part.where}`
  if (theirs.byRows) {
    return sql`select x.* from (
        select ${theirs.id} as "_parent", row_number() over (partition by ${theirs.id} ${part.order}) as "_place", ${select}
        from ${theirs.from} where ${where} and ${theirs.id} = any(${parents}::uuid[])
      ) x where x."_place" <= ${request.size + 1} order by x."_parent", x."_place"`
  }
  return sql`select p.id as "_parent", x.* from unnest(${parents}::uuid[]) as p(id) cross join lateral (
        select ${select} from ${theirs.from} where ${where} and ${theirs.id} = p.id ${part.order} ${part.limit}
      ) x`
}

/** One page for each parent, the limit counting per parent: one statement however many parents there are. */
export async function listByParent(
  ctx: Context,
  resource: Resource,
  parentField: string,
  given: readonly string[],
  request: ListRequest
): Promise<Map<string, Page>> {
  // A parent that is named twice would have each of its records twice.
  const parents = [...new Set(given)]
  const rows = await ctx.db.query<RecordRow & { _parent: string }>(
    firstByParent(ctx, resource, parentField, parents, request)
  )
  const byParent = new Map<string, RecordRow[]>()
  for (const parent of parents) byParent.set(parent, [])
  for (const row of rows) byParent.get(row._parent)!.push(row)
  const pages = new Map<string, Page>()
  for (const [parent, found] of byParent) pages.set(parent, toPage(resource, request, found))
  return pages
}

/** How many records each parent has. */
export async function countByParent(
  ctx: Context,
  resource: Resource,
  parentField: string,
  parents: readonly string[],
  where: Sql | undefined
): Promise<Map<string, number>> {
  const theirs = pointing(ctx, resource, parentField, 't')
  const rows = await ctx.db.query<{ id: string; n: number }>(
    sql`select ${theirs.id} as id, count(*)::int as n from ${theirs.from}
        where ${visible(ctx, resource, 't')} and ${theirs.id} = any(${parents}::uuid[]) and ${inBin(false)}
          and ${where ?? sql`true`} group by 1`
  )
  return new Map(rows.map(r => [r.id, r.n]))
}

/** Which of `ids` are records of which resources: one probe of each primary key. */
export async function findTypes(
  ctx: Context,
  resources: readonly Resource[],
  ids: readonly string[]
): Promise<Map<string, Resource>> {
  const probes = resources.map(
    (r, i) =>
      sql`select t.id, ${i}::int as i from ${from(r)}
          where ${visible(ctx, r, 't')} and t.id = any(${ids}::uuid[]) and ${inBin(false)}`
  )
  if (probes.length === 0) return new Map()
  const rows = await ctx.db.query<{ id: string; i: number }>(join(probes, ' union all '))
  return new Map(rows.map(r => [r.id, resources[r.i]!]))
}
