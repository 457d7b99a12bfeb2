import sql, { join, raw, type Sql } from 'sql-template-tag'
import { authorize, may, visible } from './authorize.js'
import { jsonRecord } from './columns.js'
import type { Context } from './context.js'
import type { RecordRow } from './read.js'
import { allResources, type Resource } from './resource.js'
import { exactSql, searchSql, type SearchPlace } from './search.js'

/** A record that a search over all kinds found. */
export interface Hit {
  resource: Resource
  /** Whether its title, or another of its searched texts, is all that was searched for. */
  exact: boolean
  title: string
  subtitle: string | null
  record: RecordRow
}

export interface SearchRequest {
  text: string
  /** The kinds to look at; without them all that the caller may read. */
  kinds?: readonly Resource[] | undefined
  /** How many of each kind at most. */
  size: number
  at: SearchPlace
}

/** The kinds of records that can be searched, by name. */
export const searchableResources = (): Resource[] =>
  allResources()
    .filter(r => r.search)
    .sort((a, b) => (a.name < b.name ? -1 : 1))

function found(ctx: Context, resource: Resource, n: number, request: SearchRequest): Sql[] {
  const { text, size, at } = request
  const isExact = exactSql('t', text)
  const part = (exact: boolean, where: Sql) => sql`
    select ${n}::int as n, ${exact}::boolean as exact, t.created_at as at, t.id, ${jsonRecord(resource, 't')} as record
    from (
      select t.* from ${raw(`"${resource.table}" t`)}
      where ${visible(ctx, resource, 't')} and t.deleted_at is null and ${where}
      order by t.created_at desc, t.id desc limit ${size}
    ) t`
  return [part(true, isExact), part(false, sql`${searchSql('t', text, at)} and not ${isExact}`)]
}

function hitOf(resource: Resource, exact: boolean, record: RecordRow): Hit {
  const filled = (names: readonly string[]) =>
    names.map(name => record[name] as string | null).filter(text => text !== null)
  const { title, also = [] } = resource.search!
  const name = filled(title).join(' ')
  const others = filled(also)
  return {
    resource,
    exact,
    title: name === '' ? (others[0] ?? '') : name,
    subtitle: others[name === '' ? 1 : 0] ?? null,
    record
  }
}

/**
 * The records of all kinds that a search finds, the newest of each kind: exact matches before others, then the newest
 * first, whatever their kind. One statement. A kind that is asked for by name needs its scope.
 */
export async function searchAll(ctx: Context, request: SearchRequest): Promise<Hit[]> {
  request.kinds?.forEach(kind => authorize(ctx, kind.permissions.read))
  const kinds = request.kinds ?? searchableResources().filter(r => may(ctx, r.permissions.read))
  const parts = kinds.flatMap((kind, n) => found(ctx, kind, n, request))
  if (parts.length === 0) return []
  const rows = await ctx.db.query<{ n: number; exact: boolean; record: RecordRow }>(
    sql`select x.n, x.exact, x.record from ((${join(parts, ') union all (')})) x
        order by x.exact desc, x.at desc, x.id desc`
  )
  const left = kinds.map(() => request.size)
  return rows.filter(({ n }) => left[n]!-- > 0).map(({ n, exact, record }) => hitOf(kinds[n]!, exact, record))
}
