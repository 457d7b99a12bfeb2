import { getArgumentValues, type GraphQLObjectType, type FieldNode, type GraphQLResolveInfo } from 'graphql'
import { authorize } from '../kernel/authorize.js'
import type { Row } from '../kernel/context.js'
import { countByParent, findRecords, listByParent, type Page, type RecordRow } from '../kernel/read.js'
import { resourceNamed, type Relation, type Resource } from '../kernel/resource.js'
import {
  connectionRequest,
  nestedPageSize,
  type Connection,
  type ConnectionArgs,
  type ConnectionRequest,
  type GraphContext
} from './graphql-requests.js'
import { after, Level } from './graphql-levels.js'
import { selectionOf, type Selection } from './graphql-selection.js'

type Info = Pick<GraphQLResolveInfo, 'schema' | 'fragments' | 'variableValues'>
type Nodes = readonly FieldNode[]

/** What names a record: a field of a record, or of an object in one. */
type Reference = Pick<Relation, 'target' | 'field'>

function related(
  level: Level,
  relation: Reference,
  nodes: Nodes,
  context: GraphContext,
  info: Info
): Map<string, RecordRow> | Promise<Map<string, RecordRow>> {
  return level.once(nodes[0]!, async () => {
    const target = resourceNamed(relation.target)
    authorize(context.ctx, target.permissions.read)
    const selection = selectionOf(target, nodes, info.fragments, false)
    const ids = level.rows.map(r => r[relation.field] as string | null).filter(id => id !== null)
    const found = await findRecords(context.ctx, target, [...new Set(ids)], selection.columns)
    await readAhead(target, [...found.values()], selection, context, info)
    return found
  })
}

interface Pages {
  found: Map<string, Page>
  connection: ConnectionRequest
}

function pagesOf(
  level: Level,
  relation: Relation,
  nodes: Nodes,
  args: ConnectionArgs,
  context: GraphContext,
  info: Info
): Pages | Promise<Pages> {
  return level.once(nodes[0]!, async () => {
    const { ctx } = context
    const target = resourceNamed(relation.target)
    authorize(ctx, target.permissions.read)
    const selection = selectionOf(target, nodes, info.fragments, true)
    const connection = connectionRequest(ctx, target, args, selection, nestedPageSize)
    const parents = level.rows.map(r => r.id as string)
    const found = await listByParent(ctx, target, relation.field, parents, connection.request)
    const rows = [...found.values()].flatMap(page => page.rows)
    await readAhead(target, rows, selection, context, info)
    return { found, connection }
  })
}

// The objects of a list of links are a level too. Each answer has its own: rows may come out of a read that is shared.
function placeLinks(resource: Resource, rows: readonly RecordRow[]): void {
  for (const { name, kind } of resource.fields.values()) {
    if (kind !== 'links') continue
    for (const row of rows) {
      if (Array.isArray(row[name])) row[name] = row[name].map((link: Row) => ({ ...link }))
    }
    new Level(rows.flatMap(row => (row[name] ?? []) as Row[]))
  }
}

/**
 * Makes a level of records and reads what the document asks below it before anybody waits for it, so that the executor
 * finds values instead of promises. An error is kept for the field that it belongs to.
 */
export async function readAhead(
  resource: Resource,
  rows: readonly RecordRow[],
  selection: Selection,
  context: GraphContext,
  info: Info
): Promise<void> {
  const level = new Level(rows)
  placeLinks(resource, rows)
  if (!context.ahead || rows.length === 0) return
  const { [resource.typeName]: type } = info.schema.getTypeMap()
  const fields = (type as GraphQLObjectType).getFields()
  await Promise.allSettled(
    selection.relations.map(async nodes => {
      const node = nodes[0]!
      const relation = resource.relations[node.name.value]!
      if (relation.kind === 'one') return related(level, relation, nodes, context, info)
      const args = getArgumentValues(fields[node.name.value]!, node, info.variableValues)
      return pagesOf(level, relation, nodes, args, context, info)
    })
  )
}

/** The record that a field of the parent points to; null where there is none to be seen. */
export function nestedRecord(
  relation: Reference,
  parent: Row,
  context: GraphContext,
  info: GraphQLResolveInfo
): RecordRow | null | Promise<RecordRow | null> {
  const id = parent[relation.field] as string | null
  if (id === null) return null
  const found = related(Level.of(parent), relation, info.fieldNodes, context, info)
  return after(found, records => records.get(id) ?? null)
}

/** A list below a record: one statement for all records of the level. */
export function nestedConnection(
  relation: Relation,
  parent: RecordRow,
  args: ConnectionArgs,
  context: GraphContext,
  info: GraphQLResolveInfo
): Connection | Promise<Connection> {
  const level = Level.of(parent)
  const pages = pagesOf(level, relation, info.fieldNodes, args, context, info)
  return after(pages, ({ found, connection }) => ({
    page: found.get(parent.id)!,
    connection,
    count: () => after(counts(level, relation, connection, context), byId => byId.get(parent.id) ?? 0)
  }))
}

function counts(
  level: Level,
  relation: Relation,
  connection: ConnectionRequest,
  { ctx }: GraphContext
): Map<string, number> | Promise<Map<string, number>> {
  const parents = level.rows.map(r => r.id as string)
  return level.once(connection, () =>
    countByParent(ctx, resourceNamed(relation.target), relation.field, parents, connection.where)
  )
}
