import {
  GraphQLError,
  Kind,
  type DocumentNode,
  type FragmentDefinitionNode,
  type SelectionNode,
  type SelectionSetNode
} from 'graphql'

/** How much a document may ask for. */
export const limits = {
  tokens: 10_000,
  /** Fields inside of fields. */
  depth: 30,
  /** Fields inside of fields below `__schema` and `__type`, which the usual tools nest about half as deep. */
  introspectionDepth: 30,
  aliases: 100,
  /** See graphql-cost.ts. */
  cost: 50_000
}

/** The limits as the schema tells them. */
export const guardsInWords = `Kith over GraphQL.

A document has at most ${limits.tokens} tokens, ${limits.aliases} aliases and ${limits.depth} fields inside of each other (introspection apart:
${limits.introspectionDepth}), and costs at most ${limits.cost}. Its cost is about the number of records asked for: a list counts \`first\` or \`last\` times
what is asked of each record, a record 1, as does an entry of a timeline, an event or a change; a list in a record counts
what is asked of each item as often as it may have items (the contacts of a deal: 100). What needs a statement of its own (a
list at the root, a mutation) costs 10 more, a figure or an
aggregate 1000. It is worked out before anything runs and told in \`extensions.cost\`. Beyond a limit the error is
\`too_complex\`.`

/** The error of a document that is over a limit. */
export const tooComplex = (message: string, extra: Record<string, unknown> = {}): GraphQLError =>
  new GraphQLError(message, { extensions: { code: 'too_complex', status: 400, ...extra } })

interface Depth {
  fields: number
  introspection: number
}

const flat: Depth = { fields: 0, introspection: 0 }
const introspection = new Set(['__schema', '__type'])

const deepest = (depths: readonly Depth[]): Depth => ({
  fields: Math.max(0, ...depths.map(d => d.fields)),
  introspection: Math.max(0, ...depths.map(d => d.introspection))
})

// Every definition is gone through once, however often it is spread; a circle of fragments ends at its start.
function measure(document: DocumentNode): Depth & { aliases: number } {
  const fragments = new Map<string, FragmentDefinitionNode>()
  for (const d of document.definitions)
    if (d.kind === Kind.FRAGMENT_DEFINITION) fragments.set(d.name.value, d)
  const known = new Map<string, Depth>()
  let aliases = 0

  function ofFragment(name: string): Depth {
    const depth = known.get(name)
    if (depth) return depth
    known.set(name, flat)
    const measured = ofSet(fragments.get(name)?.selectionSet)
    known.set(name, measured)
    return measured
  }

  function ofSelection(node: SelectionNode): Depth {
    if (node.kind === Kind.FRAGMENT_SPREAD) return ofFragment(node.name.value)
    const inner = ofSet(node.selectionSet)
    if (node.kind === Kind.INLINE_FRAGMENT) return inner
    if (node.alias) aliases++
    if (!introspection.has(node.name.value)) return { ...inner, fields: inner.fields + 1 }
    return { fields: 1, introspection: inner.fields + 1 }
  }

  function ofSet(set: SelectionSetNode | undefined): Depth {
    return set ? deepest(set.selections.map(ofSelection)) : flat
  }

  const depths = document.definitions.map(d => {
    if (d.kind === Kind.FRAGMENT_DEFINITION) return ofFragment(d.name.value)
    return d.kind === Kind.OPERATION_DEFINITION ? ofSet(d.selectionSet) : flat
  })
  return { ...deepest(depths), aliases }
}

/** What of a document's shape is over a limit; looked at before it is validated, which takes longer than to parse it. */
export function guardShape(document: DocumentNode): GraphQLError | undefined {
  const { fields, introspection, aliases } = measure(document)
  if (fields > limits.depth) return tooComplex(`Nest at most ${limits.depth} fields; these are ${fields}.`)
  if (introspection > limits.introspectionDepth)
    return tooComplex(
      `Nest at most ${limits.introspectionDepth} fields of introspection; these are ${introspection}.`
    )
  if (aliases > limits.aliases)
    return tooComplex(`Give at most ${limits.aliases} aliases in a document; these are ${aliases}.`)
  return undefined
}
