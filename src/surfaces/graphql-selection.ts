import { Kind, type FieldNode, type GraphQLResolveInfo, type SelectionSetNode } from 'graphql'
import type { Resource } from '../kernel/resource.js'

type Fragments = GraphQLResolveInfo['fragments']

function fieldsOf(set: SelectionSetNode | undefined, fragments: Fragments): FieldNode[] {
  return (set?.selections ?? []).flatMap(node => {
    if (node.kind === Kind.FIELD) return [node]
    const inner =
      node.kind === Kind.FRAGMENT_SPREAD ? fragments[node.name.value]?.selectionSet : node.selectionSet
    return fieldsOf(inner, fragments)
  })
}

const below = (nodes: readonly FieldNode[], fragments: Fragments, ...names: string[]): FieldNode[] =>
  nodes.filter(n => names.includes(n.name.value)).flatMap(n => fieldsOf(n.selectionSet, fragments))

// A column for itself, the reference for a record it leads to.
function columnsOf(resource: Resource, nodes: readonly FieldNode[]): string[] {
  const names = nodes.map(n => resource.relations[n.name.value]?.field ?? n.name.value)
  return [...new Set(names.filter(n => resource.fields.has(n)))].sort()
}

// What has the same name in the answer is the same field: its nodes are merged, the first one stands for them.
function relationsOf(resource: Resource, nodes: readonly FieldNode[]): FieldNode[][] {
  const byAnswer = new Map<string, FieldNode[]>()
  for (const node of nodes.filter(n => resource.relations[n.name.value])) {
    const name = `${node.alias?.value}:${node.name.value}`
    byAnswer.set(name, [...(byAnswer.get(name) ?? []), node])
  }
  return [...byAnswer.values()]
}

/** What a place of a document needs of a record, or of each record of a connection. */
export interface Selection {
  columns: string[]
  /** Whether a connection is asked for positions in its list. */
  cursors: boolean
  /** The fields that lead to other records. */
  relations: readonly (readonly FieldNode[])[]
}

const known = new WeakMap<readonly FieldNode[], Selection>()

/** The selection below some nodes, directives left aside: rather too much than too little. Worked out once per place. */
export function selectionOf(
  resource: Resource,
  fieldNodes: readonly FieldNode[],
  fragments: Fragments,
  connection: boolean
): Selection {
  const remembered = known.get(fieldNodes)
  if (remembered) return remembered
  const inner = fieldNodes.flatMap(n => fieldsOf(n.selectionSet, fragments))
  const edges = below(inner, fragments, 'edges')
  const nodes = connection ? [...below(inner, fragments, 'nodes'), ...below(edges, fragments, 'node')] : inner
  const positions = [...edges, ...below(inner, fragments, 'pageInfo')].map(n => n.name.value)
  const selection = {
    columns: columnsOf(resource, nodes),
    cursors: positions.some(n => ['cursor', 'startCursor', 'endCursor'].includes(n)),
    relations: relationsOf(resource, nodes)
  }
  known.set(fieldNodes, selection)
  return selection
}
