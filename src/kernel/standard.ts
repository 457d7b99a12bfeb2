import sql, { type Sql } from 'sql-template-tag'
import { aggregateOperation } from './aggregate.js'
import type { Context } from './context.js'
import { notFound } from './errors.js'
import { embed, parseFields, parseInclude } from './embed.js'
import { filterSql, isFilterParameter, querySql } from './filter.js'
import { changesOf } from './history.js'
import { nothing, operation, page, record, value, type Operation } from './operation.js'
import { defaultSort } from './page.js'
import type { BatchOperation } from './batch-plan.js'
import { runBatch } from './batch.js'
import { findRecord, listRecords, type RecordRow } from './read.js'
import type { Resource } from './resource.js'
import { searchSql, type SearchPlace } from './search.js'
import {
  batchBody,
  batchResult,
  looseBatch,
  byExternal,
  byId,
  changesResult,
  listQuery,
  oneQuery,
  searchBody,
  upsertBody
} from './standard-schemas.js'
import type { Static } from './schema.js'
import { upsertOne } from './upsert.js'
import { changeOne, createOne, findExternal, registerWriter, standardWriter, type Writer } from './writer.js'

type One = Static<typeof oneQuery>

async function found(
  ctx: Context,
  resource: Resource,
  id: string,
  query: One
): Promise<{ record: RecordRow; partial: boolean }> {
  const include = parseInclude(ctx, resource, query.include)
  const fields = parseFields(resource, query.fields)
  const row = await findRecord(ctx, resource, id, {
    ...(fields && { fields: [...fields, ...include.map(i => i.relation.field)] }),
    deleted: query.deleted ?? false
  })
  if (!row) throw notFound(resource.name)
  await embed(ctx, [row], include)
  return { record: row, partial: include.length > 0 || fields !== undefined }
}

interface ListInput {
  limit?: number
  after?: string
  sort?: string
  include?: string | string[]
  fields?: string | string[]
  count?: boolean
  deleted?: boolean
  search?: string
}

async function listed(ctx: Context, resource: Resource, input: ListInput, filter: Sql, at: SearchPlace) {
  const where = input.search === undefined ? filter : sql`${filter} and ${searchSql('t', input.search, at)}`
  const include = parseInclude(ctx, resource, input.include)
  const fields = parseFields(resource, input.fields)
  const result = await listRecords(ctx, resource, {
    sort: input.sort ?? defaultSort,
    size: input.limit ?? 50,
    after: input.after,
    where,
    deleted: input.deleted ?? false,
    count: input.count ?? false,
    ...(fields && { fields: [...fields, ...include.map(i => i.relation.field)] })
  })
  await embed(ctx, result.rows, include)
  return result
}

function reads(r: Resource): Operation[] {
  const common = { kind: 'read', permission: r.permissions.read } as const
  return [
    operation({
      ...common,
      name: `${r.plural}.list`,
      summary: `List ${r.plural}`,
      description: 'One page, newest first unless sorted; every filterable field is a parameter.',
      rest: `GET /${r.plural}`,
      graphql: null,
      query: listQuery(r),
      result: page(r),
      run: (ctx, { body: _body, expectedVersion: _version, ...input }) => {
        const given = input as Record<string, unknown>
        const filters = Object.entries(given).filter(([k]) => isFilterParameter(r, k))
        return listed(
          ctx,
          r,
          given,
          querySql(ctx, r, 't', Object.fromEntries(filters) as Record<string, string>),
          { in: 'query', parameter: 'search' }
        )
      }
    }),
    operation({
      ...common,
      name: `${r.plural}.search`,
      summary: `Search ${r.plural} with a JSON filter`,
      description: 'The list with a filter of and, or, not and relations one hop away.',
      rest: `POST /${r.plural}/search`,
      graphql: null,
      body: searchBody(r),
      result: page(r),
      run: (ctx, { body }) =>
        listed(ctx, r, body, body.filter === undefined ? sql`true` : filterSql(ctx, r, 't', body.filter), {
          in: 'body',
          pointer: '/search'
        })
    }),
    aggregateOperation(r),
    operation({
      ...common,
      name: `${r.plural}.get`,
      summary: `Get one ${r.name}`,
      rest: `GET /${r.plural}/:id`,
      graphql: null,
      params: byId,
      query: oneQuery,
      result: record(r),
      run: (ctx, { id, ...query }) => found(ctx, r, id, query)
    }),
    operation({
      ...common,
      name: `${r.plural}.getByExternalId`,
      summary: `Get one ${r.name} by a partner's own id`,
      rest: `GET /${r.plural}/external/:source/:externalId`,
      graphql: `${r.name}ByExternalId`,
      params: byExternal,
      query: oneQuery,
      result: record(r),
      run: async (ctx, { source, externalId, ...query }) => {
        const [known] = await findExternal(ctx, r, [{ source, id: externalId }])
        if (!known?.seen) throw notFound(r.name)
        return found(ctx, r, known.recordId, query)
      }
    }),
    operation({
      ...common,
      name: `${r.plural}.changes`,
      summary: `List who changed which fields of a ${r.name}, latest first`,
      rest: `GET /${r.plural}/:id/changes`,
      graphql: `${r.name}Changes`,
      params: byId,
      query: changesResult.query,
      result: value(changesResult.schema),
      run: (ctx, { id, limit, after }) => changesOf(ctx, r, id, { limit: limit ?? 50, after })
    })
  ]
}

function writes(r: Resource, writer: Writer): Operation[] {
  const { atomic } = writer
  const common = {
    kind: 'write',
    permission: r.permissions.write,
    ...(typeof atomic === 'boolean'
      ? { atomic }
      : { atomicFor: (body?: Record<string, unknown>) => atomic(body ?? {}) })
  } as const
  const alsoNeeds = (body: Record<string, unknown>) => writer.alsoNeeds?.(body) ?? []
  const bin = (deletedAt: true | null) => (ctx: Context, id: string, expectedVersion?: number) =>
    changeOne(ctx, r, writer, {
      id,
      patch: { deletedAt },
      inBin: deletedAt === null,
      expectedVersion
    })
  return [
    operation({
      ...common,
      name: `${r.plural}.create`,
      summary: `Create a ${r.name}`,
      rest: `POST /${r.plural}`,
      graphql: `create${r.noun}`,
      body: r.createBody,
      alsoNeeds,
      result: record(r),
      run: async (ctx, { body }) => ({ record: (await createOne(ctx, r, writer, body))!, created: true })
    }),
    operation({
      ...common,
      name: `${r.plural}.update`,
      summary: `Update a ${r.name}`,
      description: 'Absent fields stay, null clears; a stale If-Match is a 412.',
      rest: `PATCH /${r.plural}/:id`,
      graphql: `update${r.noun}`,
      params: byId,
      body: r.updateBody,
      result: record(r),
      run: (ctx, { id, body, expectedVersion }) =>
        changeOne(ctx, r, writer, { id, patch: body, expectedVersion })
    }),
    operation({
      ...common,
      name: `${r.plural}.delete`,
      summary: `Put a ${r.name} into the bin`,
      rest: `DELETE /${r.plural}/:id`,
      graphql: `delete${r.noun}`,
      params: byId,
      result: nothing,
      run: async (ctx, { id, expectedVersion }) => void (await bin(true)(ctx, id, expectedVersion))
    }),
    operation({
      ...common,
      name: `${r.plural}.restore`,
      summary: `Bring a ${r.name} back from the bin`,
      rest: `POST /${r.plural}/:id/restore`,
      graphql: `restore${r.noun}`,
      params: byId,
      result: record(r),
      run: (ctx, { id, expectedVersion }) => bin(null)(ctx, id, expectedVersion)
    }),
    operation({
      ...common,
      name: `${r.plural}.upsert`,
      summary: `Create or update a ${r.name} by a partner's own id`,
      description:
        'Race-free, merging like an update; what only a creation takes counts only then; a record in the bin is a 409 unless restore=true, and so is, unnamed, one out of sight.',
      rest: `PUT /${r.plural}/external/:source/:externalId`,
      graphql: `upsert${r.noun}`,
      params: byExternal,
      query: upsertBody.query,
      body: upsertBody.of(r),
      alsoNeeds,
      upserts: true,
      result: record(r),
      run: (ctx, { source, externalId, restore, body, expectedVersion, exists }) =>
        upsertOne(ctx, r, writer, { source, externalId }, body, {
          restore: restore ?? false,
          expectedVersion,
          exists
        })
    }),
    operation({
      ...common,
      atomic: true,
      name: `${r.plural}.batch`,
      summary: `Write up to 1,000 ${r.plural} in one call`,
      description:
        'Rows are independent; `atomic` makes the first failure undo them all. What the `op` of a row has no use for is refused.',
      rest: `POST /${r.plural}/batch`,
      graphql: `batch${r.noun}`,
      body: batchBody(r),
      accepts: looseBatch,
      bodyLimit: 8 * 1024 * 1024,
      result: value(batchResult),
      run: async (ctx, { body }) => ({
        results: await runBatch(ctx, r, writer, body.operations as BatchOperation[], body.atomic ?? false)
      })
    })
  ]
}

/** The operations that every resource has, on both surfaces. */
export function standardOperations(
  resource: Resource,
  writer: Writer = standardWriter(resource)
): Operation[] {
  registerWriter(resource, writer)
  return [...reads(resource), ...writes(resource, writer)]
}
