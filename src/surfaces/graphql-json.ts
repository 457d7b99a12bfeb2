import {
  GraphQLID,
  isLeafType,
  isListType,
  isNonNullType,
  isObjectType,
  Kind,
  type FieldNode,
  type GraphQLLeafType,
  type GraphQLObjectType,
  type GraphQLOutputType,
  type GraphQLResolveInfo,
  type SelectionSetNode
} from 'graphql'
import type { Row } from '../kernel/context.js'
import { DateTime, Day, Decimal } from './graphql-scalars.js'

export type Fragments = GraphQLResolveInfo['fragments']
export type Nodes = readonly FieldNode[]

/** Writes a value, the one at an index of several, as JSON. */
export type Write<T> = (value: T, index: number) => string

/** Thrown where only an executor knows what to do. */
export class Unplanned extends Error {}

/** The fields that selections ask of an object, by their names in the answer; several nodes of a name are one field. */
export function fieldsOf(
  type: GraphQLObjectType,
  sets: readonly (SelectionSetNode | undefined)[],
  fragments: Fragments
): Map<string, FieldNode[]> {
  const fields = new Map<string, FieldNode[]>()
  const spread = new Set<object>()
  const collect = (set: SelectionSetNode | undefined) => {
    for (const node of set?.selections ?? []) {
      if (node.directives && node.directives.length > 0) throw new Unplanned()
      if (node.kind === Kind.FIELD) {
        const name = node.alias?.value ?? node.name.value
        const known = fields.get(name)
        if (known) known.push(node)
        else fields.set(name, [node])
        continue
      }
      const fragment = node.kind === Kind.FRAGMENT_SPREAD ? fragments[node.name.value]! : node
      // A second spread of a fragment adds nothing, and fragments in fragments would never end.
      if (spread.has(fragment)) continue
      spread.add(fragment)
      if (fragment.typeCondition && fragment.typeCondition.name.value !== type.name) throw new Unplanned()
      collect(fragment.selectionSet)
    }
  }
  sets.forEach(collect)
  return fields
}

/** Writes an object of these members. */
export function objectWriter<T>(members: readonly (readonly [name: string, write: Write<T>])[]): Write<T> {
  const parts = members.map(
    ([name, write], i) => [`${i === 0 ? '{' : ','}${JSON.stringify(name)}:`, write] as const
  )
  return (value, index) => {
    let text = ''
    for (const [head, write] of parts) text += head + write(value, index)
    return text + '}'
  }
}

// Texts as they came from the database, with nothing in them that JSON escapes.
const plain = new Set<GraphQLLeafType>([GraphQLID, DateTime, Day, Decimal])

const leafWriter = (type: GraphQLLeafType): Write<unknown> =>
  plain.has(type) ? value => `"${value as string}"` : value => JSON.stringify(type.serialize(value))

/** Writes a value of a type that is all there: leaves, and lists and objects of them. */
export function valueWriter(type: GraphQLOutputType, nodes: Nodes, fragments: Fragments): Write<unknown> {
  if (isNonNullType(type)) {
    const write = valueWriter(type.ofType, nodes, fragments)
    return (value, index) => {
      if (value == null) throw new Unplanned()
      return write(value, index)
    }
  }
  const write = presentWriter(type, nodes, fragments)
  return (value, index) => (value == null ? 'null' : write(value, index))
}

function presentWriter(type: GraphQLOutputType, nodes: Nodes, fragments: Fragments): Write<unknown> {
  if (isLeafType(type)) return leafWriter(type)
  if (isListType(type)) {
    const write = valueWriter(type.ofType, nodes, fragments)
    return values => `[${(values as unknown[]).map(write).join()}]`
  }
  if (!isObjectType(type)) throw new Unplanned()
  const fields = fieldsOf(
    type,
    nodes.map(n => n.selectionSet),
    fragments
  )
  const members = [...fields].map(([name, nodes]) => [name, ownWriter(type, nodes, fragments)] as const)
  return objectWriter(members) as Write<unknown>
}

/** Writes a field whose value the object itself has. */
export function ownWriter(type: GraphQLObjectType, nodes: Nodes, fragments: Fragments): Write<Row> {
  const name = nodes[0]!.name.value
  if (name === '__typename') return () => `"${type.name}"`
  const field = type.getFields()[name]!
  if (field.resolve) throw new Unplanned()
  const write = valueWriter(field.type, nodes, fragments)
  return (row, index) => write(row[name], index)
}
