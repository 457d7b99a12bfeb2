import {
  Kind,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLResolveInfo,
  type SelectionSetNode
} from 'graphql'
import type { Resource } from '../kernel/resource.js'

type Fragments = Record<string, FragmentDefinitionNode>

function fieldsOf(set: SelectionSetNode | undefined, fragments: Fragments): FieldNode[] {
  return (set?.selections ?? []).flatMap(node => {
    if (node.kind === Kind.FIELD) return [node]
    const inner =
      node.kind === Kind.FRAGMENT_SPREAD ? fragments[node.name.value]?.selectionSet : node.selectionSet
    return fieldsOf(inner, fragments)
  })
}

const below = (nodes: readonly FieldNode[], fragments: Fragments, name: string): FieldNode[] =>
  nodes.filter(n => n.name.value === name).flatMap(n => fieldsOf(n.selectionSet, fragments))

// A column for itself, the reference for a record it leads to.
function columnsOf(resource: Resource, nodes: readonly FieldNode[]): string[] {
  const names = nodes.map(n => resource.relations[n.name.value]?.field ?? n.name.value)
  return [...new Set(names.filter(n => resource.fields.has(n)))].sort()
}

/** Columns, and a text that is equal where they are. */
export interface Columns {
  names: string[]
  key: string
}

const known = new WeakMap<readonly FieldNode[], Columns>()

/**
 * The columns that a selection needs, of a record or of the records of a connection. Worked out once per place in a
 * document, not once per parent.
 */
export function selectedColumns(resource: Resource, info: GraphQLResolveInfo, connection: boolean): Columns {
  const remembered = known.get(info.fieldNodes)
  if (remembered) return remembered
  const { fragments } = info
  let nodes = info.fieldNodes.flatMap(n => fieldsOf(n.selectionSet, fragments))
  if (connection) {
    nodes = [
      ...below(nodes, fragments, 'nodes'),
      ...below(below(nodes, fragments, 'edges'), fragments, 'node')
    ]
  }
  const names = columnsOf(resource, nodes)
  const columns = { names, key: names.join() }
  known.set(info.fieldNodes, columns)
  return columns
}
