import {
  getArgumentValues,
  getVariableValues,
  Kind,
  OperationTypeNode,
  type DocumentNode,
  type FieldNode,
  type GraphQLObjectType,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type SelectionSetNode
} from 'graphql'
import { authorize } from '../kernel/authorize.js'
import type { Context, Row } from '../kernel/context.js'
import { findRecord, findRecords, listByParent, listRecords, type RecordRow } from '../kernel/read.js'
import { allResources, camel, resourceNamed, type Relation, type Resource } from '../kernel/resource.js'
import { resolvePageInfo } from './graphql-connections.js'
import {
  fieldsOf,
  objectWriter,
  ownWriter,
  Unplanned,
  valueWriter,
  type Fragments,
  type Nodes,
  type Write
} from './graphql-json.js'
import { connectionRequest, nestedPageSize, rootPageSize, type Connection } from './graphql-requests.js'
import { idOf } from './graphql-resolvers.js'
import { selectionOf } from './graphql-selection.js'

interface Asked {
  ctx: Context
  variables: Record<string, unknown>
}

type Place = Omit<Connection, 'count'>

interface Edge extends Row {
  cursor: string
  node: RecordRow
}

/** Reads what a field shows of all values of a level, and knows then how to write it for each. */
type Column<T> = (all: readonly T[], asked: Asked) => Write<T> | Promise<Write<T>>
type Columns<T> = readonly (readonly [name: string, column: Column<T>])[]

async function write<T>(columns: Columns<T>, all: readonly T[], asked: Asked): Promise<string[]> {
  if (all.length === 0) return []
  const writes = await Promise.all(columns.map(async ([, column]) => column(all, asked)))
  return all.map(objectWriter(columns.map(([name], i) => [name, writes[i]!] as const)))
}

// What all values of a level have in lists is one level itself.
function listed<T, I>(columns: Columns<I>, items: (value: T) => readonly I[]): Column<T> {
  return async (all, asked) => {
    const lists = all.map(items)
    const texts = await write(columns, lists.flat(), asked)
    const ends: number[] = []
    for (const list of lists) ends.push((ends.at(-1) ?? 0) + list.length)
    return (_value, index) => `[${texts.slice(ends[index - 1] ?? 0, ends[index]).join()}]`
  }
}

const edgesOf = ({ page }: Place) => page.rows.map(node => ({ cursor: page.cursor(node), node }))

/** Compiles the selections of a document. */
class Planner {
  constructor(
    private readonly schema: GraphQLSchema,
    private readonly fragments: Fragments
  ) {}

  private columns<T>(
    type: GraphQLObjectType,
    parents: readonly { selectionSet?: SelectionSetNode | undefined }[],
    column: (nodes: Nodes) => Column<T>
  ): Columns<T> {
    const sets = parents.map(n => n.selectionSet)
    const typename: Column<T> = () => () => `"${type.name}"`
    return [...fieldsOf(type, sets, this.fragments)].map(([name, nodes]) => [
      name,
      nodes[0]!.name.value === '__typename' ? typename : column(nodes)
    ])
  }

  private own<T extends Row>(type: GraphQLObjectType, nodes: Nodes): Column<T> {
    const own = ownWriter(type, nodes, this.fragments)
    return () => own
  }

  private args(type: GraphQLObjectType, node: FieldNode): (asked: Asked) => Record<string, unknown> {
    const field = type.getFields()[node.name.value]!
    return ({ variables }) => getArgumentValues(field, node, variables)
  }

  private typeOf(name: string): GraphQLObjectType {
    return this.schema.getType(name) as GraphQLObjectType
  }

  private record(resource: Resource, nodes: Nodes): Columns<RecordRow> {
    const type = this.typeOf(resource.typeName)
    return this.columns(type, nodes, nodes => {
      const relation = resource.relations[nodes[0]!.name.value]
      if (!relation) return this.own(type, nodes)
      return relation.kind === 'one' ? this.one(relation, nodes) : this.many(type, relation, nodes)
    })
  }

  private one(relation: Relation, nodes: Nodes): Column<RecordRow> {
    const target = resourceNamed(relation.target)
    const columns = this.record(target, nodes)
    const selection = selectionOf(target, nodes, this.fragments, false)
    return async (rows, asked) => {
      authorize(asked.ctx, target.permissions.read)
      const ids = rows.map(r => r[relation.field] as string | null).filter(id => id !== null)
      const found = await findRecords(asked.ctx, target, [...new Set(ids)], selection.columns)
      const texts = await write(columns, [...found.values()], asked)
      const byId = new Map([...found.keys()].map((id, i) => [id, texts[i]!]))
      return row => byId.get(row[relation.field] as string) ?? 'null'
    }
  }

  private many(type: GraphQLObjectType, relation: Relation, nodes: Nodes): Column<RecordRow> {
    const target = resourceNamed(relation.target)
    const columns = this.connection(target, nodes)
    const selection = selectionOf(target, nodes, this.fragments, true)
    const args = this.args(type, nodes[0]!)
    return async (rows, asked) => {
      authorize(asked.ctx, target.permissions.read)
      const connection = connectionRequest(asked.ctx, target, args(asked), selection, nestedPageSize)
      const parents = rows.map(r => r.id)
      const found = await listByParent(asked.ctx, target, relation.field, parents, connection.request)
      const pages = [...found.values()].map(page => ({ page, connection }))
      const texts = await write(columns, pages, asked)
      const byParent = new Map([...found.keys()].map((id, i) => [id, texts[i]!]))
      return row => byParent.get(row.id)!
    }
  }

  private connection(target: Resource, nodes: Nodes): Columns<Place> {
    const type = this.typeOf(`${target.typeName}Connection`)
    return this.columns(type, nodes, nodes => {
      const name = nodes[0]!.name.value
      if (name === 'nodes') return listed(this.record(target, nodes), ({ page }) => page.rows)
      if (name === 'edges') return listed(this.edge(target, nodes), edgesOf)
      if (name !== 'pageInfo') throw new Unplanned()
      const info = valueWriter(type.getFields()[name]!.type, nodes, this.fragments)
      return () => (place, index) => info(resolvePageInfo(place), index)
    })
  }

  private edge(target: Resource, nodes: Nodes): Columns<Edge> {
    const type = this.typeOf(`${target.typeName}Edge`)
    return this.columns(type, nodes, nodes => {
      if (nodes[0]!.name.value !== 'node') return this.own(type, nodes)
      const columns = this.record(target, nodes)
      return async (edges, asked) => {
        const texts = await write(
          columns,
          edges.map(e => e.node),
          asked
        )
        return (_edge, index) => texts[index]!
      }
    })
  }

  // The fields of the query itself: records and lists of them, looked up.
  private root(nodes: Nodes): Column<object> {
    const name = nodes[0]!.name.value
    const type = this.schema.getQueryType()!
    const args = this.args(type, nodes[0]!)
    const resource = allResources().find(r => r.name === name || camel(r.plural) === name)
    if (!resource || !type.getFields()[name]) throw new Unplanned()
    if (resource.name === name) return this.rootRecord(resource, nodes, args)
    const columns = this.connection(resource, nodes)
    const selection = selectionOf(resource, nodes, this.fragments, true)
    return async (_all, asked) => {
      authorize(asked.ctx, resource.permissions.read)
      const connection = connectionRequest(asked.ctx, resource, args(asked), selection, rootPageSize)
      const page = await listRecords(asked.ctx, resource, connection.request)
      const [text] = await write(columns, [{ page, connection }], asked)
      return () => text!
    }
  }

  private rootRecord(
    resource: Resource,
    nodes: Nodes,
    args: (asked: Asked) => Record<string, unknown>
  ): Column<object> {
    const columns = this.record(resource, nodes)
    const selection = selectionOf(resource, nodes, this.fragments, false)
    return async (_all, asked) => {
      authorize(asked.ctx, resource.permissions.read)
      const id = idOf(args(asked).id as string, 'id')
      const row = await findRecord(asked.ctx, resource, id, { fields: selection.columns })
      const texts = await write(columns, row ? [row] : [], asked)
      return () => texts[0] ?? 'null'
    }
  }

  query(operation: OperationDefinitionNode): Columns<object> {
    return this.columns(this.schema.getQueryType()!, [operation], nodes => this.root(nodes))
  }
}

/** Answers the data of a query as JSON; nothing where an executor has to run it after all. */
export type Plan = (ctx: Context, variables: Record<string, unknown>) => Promise<string | undefined>

/**
 * Makes the plan of a document that does no more than look up records, undefined for others. A plan reads level by
 * level, a statement for each field that leads on, and writes the rows as JSON without an object for each field.
 */
export function planOf(schema: GraphQLSchema, document: DocumentNode): Plan | undefined {
  const operations = document.definitions.filter(d => d.kind === Kind.OPERATION_DEFINITION)
  const fragments = document.definitions.filter(d => d.kind === Kind.FRAGMENT_DEFINITION)
  const [operation, ...others] = operations
  if (operation?.operation !== OperationTypeNode.QUERY || others.length > 0) return undefined
  try {
    const planner = new Planner(schema, Object.fromEntries(fragments.map(f => [f.name.value, f])))
    const columns = planner.query(operation)
    const definitions = operation.variableDefinitions ?? []
    return async (ctx, given) => {
      const { coerced } = getVariableValues(schema, definitions, given)
      if (!coerced) return undefined
      // An error has its place in an answer, and a field that is null after all has consequences: an executor knows
      // them, and to read twice does no harm.
      return write(columns, [{}], { ctx, variables: coerced }).then(
        ([text]) => text,
        () => undefined
      )
    }
  } catch (error) {
    if (error instanceof Unplanned) return undefined
    throw error
  }
}
