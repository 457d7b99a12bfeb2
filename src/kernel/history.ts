import sql, { empty } from 'sql-template-tag'
import type { Context } from './context.js'
import { notFound, parameterError } from './errors.js'
import { findRecord } from './read.js'
import type { Resource } from './resource.js'

interface ChangeRow {
  [column: string]: unknown
  id: string
  version: number
  at: string
  actorType: 'user' | 'key' | 'system'
  actorId: string | null
  requestId: string
  before: Fields
  after: Fields
}

type Fields = Record<string, unknown>

/** The fields of a change with their values before and after. */
export const changedFields = (before: Fields, after: Fields) =>
  Object.keys(after).map(field => ({ field, from: before[field] ?? null, to: after[field] ?? null }))

/** Who changed which fields of a record and when, latest first; also of a record in the bin. */
export async function changesOf(
  ctx: Context,
  resource: Resource,
  id: string,
  page: { limit: number; after?: string | undefined }
) {
  if (page.after !== undefined && !/^[1-9][0-9]{0,8}$/.test(page.after)) {
    throw parameterError('after', 'This is not a cursor of ours.', 'invalid_cursor')
  }
  const record = await findRecord(ctx, resource, id, { fields: ['id'], deleted: true })
  if (!record) throw notFound(resource.name)
  const rows = await ctx.db.query<ChangeRow>(sql`
    select id, version, at, actor_type as "actorType", actor_id as "actorId", request_id as "requestId", before, after
    from record_changes
    where workspace_id = ${ctx.workspaceId} and resource = ${resource.name} and record_id = ${id}
      ${page.after === undefined ? empty : sql`and version < ${page.after}::int`}
    order by version desc limit ${page.limit + 1}`)
  const shown = rows.slice(0, page.limit)
  const hasMore = rows.length > page.limit
  return {
    data: shown.map(({ before, after, ...change }) => ({
      ...change,
      fields: changedFields(before, after)
    })),
    page: { hasMore, nextCursor: hasMore ? String(shown.at(-1)!.version) : null }
  }
}
