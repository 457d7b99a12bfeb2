import {
  coerceInputValue,
  GraphQLError,
  isInputType,
  isLeafType,
  Kind,
  OperationTypeNode,
  parse,
  specifiedRules,
  typeFromAST,
  validate,
  visit,
  type ASTNode,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type ValueNode,
  type VariableDefinitionNode
} from 'graphql'
import type { ErrorItem } from '../kernel/errors.js'
import { Cost } from './graphql-cost.js'
import { guardShape, limits, tooComplex } from './graphql-guards.js'
import { planOf, type Plan } from './graphql-plan.js'

interface Traits {
  /** Whether the document is worth compiling, and its compiled form does exactly what the interpreted one does. */
  compilable: boolean
  /** Whether directives may leave out what the document selects. */
  conditional: boolean
}

/** A document that may run. */
interface Sound extends Traits {
  document: DocumentNode
  cost: Cost
  /** How its data is written without an executor, where it only looks up records. Asked for once its cost is known. */
  plan: () => Plan | undefined
}

/** A document that may run, or what is wrong with it. */
export type Checked = Sound | { errors: GraphQLError[] }

// The compiler takes a non-null variable with a default for missing, and unrolls recursive input types for ever.
function isSimple(schema: GraphQLSchema, { type, defaultValue }: VariableDefinitionNode): boolean {
  if (type.kind === Kind.NON_NULL_TYPE) {
    return defaultValue === undefined && isLeafType(typeFromAST(schema, type.type))
  }
  return isLeafType(typeFromAST(schema, type))
}

// The compiler keeps one operation per document, takes an absent variable in an object for null, forgets directives
// above fragments, and goes on with a mutation after a failed field: only what has none of these is compiled.
function traits(schema: GraphQLSchema, document: DocumentNode): Traits {
  let operations = 0
  let plain = true
  let conditional = false
  const whole: string[] = [Kind.ARGUMENT, Kind.VARIABLE_DEFINITION]
  visit(document, {
    OperationDefinition(node) {
      operations++
      plain &&= node.operation === OperationTypeNode.QUERY
    },
    VariableDefinition: node => void (plain &&= isSimple(schema, node)),
    Variable: (_node, _key, parent) => void (plain &&= whole.includes((parent as ASTNode).kind)),
    Directive: () => void (conditional = true)
  })
  return { compilable: plain && operations === 1 && !conditional, conditional }
}

// The parser says it in words only.
const tokens = /contains more tha[nt] \d+ tokens/

// In characters. What is made of a text takes up to a hundred times its room, so the texts are bounded, not their number.
const rememberedAtMost = 2_000_000

/**
 * How long a document may be to be compiled, and how many compiled ones Mercurius keeps, besides as many on their way
 * out: their room is bounded by both.
 */
export const compiled = { length: 2000, documents: 200 }

const pointer = (parts: readonly (string | number)[]) => parts.map(p => `/${p}`).join('')

function invalid(
  error: GraphQLError,
  code: 'invalid_input' | 'bad_request',
  items: ErrorItem[]
): GraphQLError {
  return new GraphQLError(error.message, {
    nodes: error.nodes ?? null,
    source: error.source ?? null,
    positions: error.positions ?? null,
    extensions: { code, status: 400, ...(items.length > 0 && { errors: items }) }
  })
}

// The way from an argument to a node inside of its value; `input` itself is the root of its pointers.
function pathTo(document: DocumentNode, target: ASTNode): (string | number)[] | undefined {
  let found: (string | number)[] | undefined
  visit(document, {
    enter(node, _key, parent, _path, ancestors) {
      if (node !== target) return undefined
      const chain = [...ancestors, parent, node].filter(
        (a): a is ASTNode => a !== undefined && !Array.isArray(a)
      )
      const argument = chain.findIndex(n => n.kind === Kind.ARGUMENT)
      if (argument < 0) return undefined
      const names = chain.slice(argument).flatMap((n, i, way): (string | number)[] => {
        if (n.kind === Kind.ARGUMENT || n.kind === Kind.OBJECT_FIELD) return [n.name.value]
        const next = way[i + 1] as ValueNode | undefined
        return n.kind === Kind.LIST && next ? [n.values.indexOf(next)] : []
      })
      found = names[0] === 'input' ? names.slice(1) : names
      return undefined
    }
  })
  return found
}

// The messages of graphql-js name the field that its path does not reach.
const unknownField = /^Field "(\w+)" is not defined/
const missingField = /^Field "(?:\w+\.)?(\w+)" of required type/

function item(path: readonly (string | number)[], message: string): ErrorItem {
  const unknown = unknownField.exec(message)?.[1]
  const missing = missingField.exec(message)?.[1]
  const name = unknown ?? missing
  const full = name === undefined || path.at(-1) === name ? path : [...path, name]
  const code = unknown !== undefined ? 'unknown_field' : missing !== undefined ? 'required' : 'type'
  return { in: 'body', pointer: pointer(full), code, message }
}

function literalItems(document: DocumentNode, error: GraphQLError): ErrorItem[] {
  const node = error.nodes?.[0]
  const path = node && pathTo(document, node)
  return path ? [item(path, error.message)] : []
}

function unreadable(error: unknown): GraphQLError {
  // All of it descends by recursion, so a document of braces alone uses up the stack.
  if (!(error instanceof GraphQLError)) return tooComplex('The document nests too deeply.')
  if (tokens.test(error.message)) return tooComplex(`Write at most ${limits.tokens} tokens.`)
  return invalid(error, 'bad_request', [])
}

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined
  return () => (made ??= { value: make() }).value
}

/** Parses and validates documents, remembering those lately found sound. */
export class Documents {
  private readonly known = new Map<string, Sound>()
  private length = 0

  constructor(private readonly schema: GraphQLSchema) {}

  /** How many documents are remembered, and how many characters these have together. */
  get remembered(): { documents: number; characters: number } {
    return { documents: this.known.size, characters: this.length }
  }

  check(query: string): Checked {
    const known = this.known.get(query)
    if (known) return known
    const errors = this.examine(query)
    if (errors.length > 0) return { errors }
    // Without the places of its parts, which are for errors, a document takes less than half the room.
    const document = parse(query, { noLocation: true })
    const { compilable, conditional } = traits(this.schema, document)
    const sound = {
      document,
      compilable: compilable && query.length <= compiled.length,
      conditional,
      plan: once(() => planOf(this.schema, document)),
      cost: new Cost(this.schema, document)
    }
    this.remember(query, sound)
    return sound
  }

  private remember(query: string, sound: Sound): void {
    this.known.set(query, sound)
    this.length += query.length
    for (const oldest of this.known.keys()) {
      if (this.length <= rememberedAtMost) return
      this.known.delete(oldest)
      this.length -= oldest.length
    }
  }

  private examine(query: string): GraphQLError[] {
    try {
      const document = parse(query, { maxTokens: limits.tokens })
      const guarded = guardShape(document)
      if (guarded) return [guarded]
      const errors = validate(this.schema, document, specifiedRules, { maxErrors: 20 })
      return errors.map(e => invalid(e, 'invalid_input', literalItems(document, e)))
    } catch (error) {
      return [unreadable(error)]
    }
  }

  /** What of the variables does not fit its type, with pointers relative to the argument that they are used in. */
  checkVariables(
    document: DocumentNode,
    operationName: string | undefined,
    given: Record<string, unknown>
  ): GraphQLError[] {
    const operation = operationOf(document, operationName)
    const errors: GraphQLError[] = []
    for (const definition of operation?.variableDefinitions ?? []) {
      const name = definition.variable.name.value
      const type = typeFromAST(this.schema, definition.type)
      if (!isInputType(type)) continue
      const value = Object.hasOwn(given, name) ? given[name] : undefined
      const missing = value === undefined
      if (missing && (definition.defaultValue || definition.type.kind !== Kind.NON_NULL_TYPE)) continue
      coerceInputValue(missing ? null : value, type, (path, _value, error) => {
        const full = [...placeOf(document, name), ...path]
        errors.push(invalid(error, 'invalid_input', [item(full, error.message)]))
      })
    }
    return errors.slice(0, 20)
  }
}

/** The operation that a request would run; undefined where several stand to choose from, or none has the name. */
export function operationOf(
  document: DocumentNode,
  name: string | undefined
): OperationDefinitionNode | undefined {
  const operations = document.definitions.filter(d => d.kind === Kind.OPERATION_DEFINITION)
  if (name === undefined) return operations.length === 1 ? operations[0] : undefined
  return operations.find(o => o.name?.value === name)
}

// Where in the input a variable is used first.
function placeOf(document: DocumentNode, variable: string): (string | number)[] {
  let used: ASTNode | undefined
  visit(document, {
    VariableDefinition: () => false,
    Variable(node) {
      if (node.name.value === variable) used ??= node
    }
  })
  return (used && pathTo(document, used)) ?? [variable]
}
