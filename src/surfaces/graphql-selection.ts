import {
  Kind,
  type FieldNode,
  type FragmentDefinitionNode,
  type GraphQLResolveInfo,
  type SelectionSetNode
} from 'graphql'
import { publicFields } from '../kernel/columns.js'
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

const heavyKinds = new Set(['object', 'customFields', 'externalIds'])
const cache = new WeakMap<Resource, { small: string[]; heavy: Set<string> }>()

function sizes(resource: Resource) {
  const known = cache.get(resource)
  if (known) return known
  const isHeavy = (name: string) => {
    const { schema, kind } = resource.fields.get(name)!
    return heavyKinds.has(kind) || Number(schema.maxLength ?? 0) > 1000
  }
  const all = publicFields(resource)
  const made = { small: all.filter(f => !isHeavy(f)), heavy: new Set(all.filter(isHeavy)) }
  cache.set(resource, made)
  return made
}

/**
 * The columns for a selection, rounded up to small (no long texts, no objects) or full, so that statements stay few.
 * `within` are the fields between the resolved one and the records, for connections.
 */
export function selectedColumns(resource: Resource, info: GraphQLResolveInfo, connection: boolean): string[] {
  const { small, heavy } = sizes(resource)
  let nodes = info.fieldNodes.flatMap(n => fieldsOf(n.selectionSet, info.fragments))
  if (connection) {
    const edges = nodes
      .filter(n => n.name.value === 'edges')
      .flatMap(n => fieldsOf(n.selectionSet, info.fragments))
    const records = [
      ...nodes.filter(n => n.name.value === 'nodes'),
      ...edges.filter(n => n.name.value === 'node')
    ]
    nodes = records.flatMap(n => fieldsOf(n.selectionSet, info.fragments))
  }
  return nodes.some(n => heavy.has(n.name.value)) ? publicFields(resource) : small
}

/** Whether a field stands directly below the resolved one. */
export function selects(info: GraphQLResolveInfo, name: string): boolean {
  return info.fieldNodes.some(n => fieldsOf(n.selectionSet, info.fragments).some(f => f.name.value === name))
}
