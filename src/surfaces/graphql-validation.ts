import {
  coerceInputValue,
  GraphQLError,
  isInputType,
  Kind,
  parse,
  specifiedRules,
  typeFromAST,
  validate,
  visit,
  type ASTNode,
  type DocumentNode,
  type GraphQLSchema,
  type OperationDefinitionNode,
  type ValueNode
} from 'graphql'
import type { ErrorItem } from '../kernel/errors.js'
import { Cost } from './graphql-cost.js'
import { guardShape, limits, tooComplex } from './graphql-guards.js'
import { planOf, type Plan } from './graphql-plan.js'

/** A document that may run, or what is wrong with it. */
export interface Checked {
  document?: DocumentNode
  errors?: GraphQLError[]
  /** How its data is written without an executor, where it only looks up records. Asked for once its cost is known. */
  plan?: () => Plan | undefined
  /** Whether directives may leave out what the document selects. */
  conditional?: boolean
  cost?: Cost
}

// Whether directives may leave out what the document selects.
function isConditional(document: DocumentNode): boolean {
  let found = false
  visit(document, { Directive: () => void (found = true) })
  return found
}

// The parser says it in words only.
const tokens = /contains more tha[nt] \d+ tokens/

const rememberedAtMost = 1000

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

/** Parses and validates documents, remembering those seen lately. */
export class Documents {
  private readonly known = new Map<string, Checked>()

  constructor(private readonly schema: GraphQLSchema) {}

  check(query: string): Checked {
    const known = this.known.get(query)
    if (known) return known
    const checked = this.examine(query)
    if (this.known.size >= rememberedAtMost) this.known.delete(this.known.keys().next().value!)
    this.known.set(query, checked)
    return checked
  }

  private examine(query: string): Checked {
    try {
      const document = parse(query, { maxTokens: limits.tokens })
      const guarded = guardShape(document)
      if (guarded) return { errors: [guarded] }
      const errors = validate(this.schema, document, specifiedRules, { maxErrors: 20 })
      if (errors.length === 0)
        return {
          document,
          plan: once(() => planOf(this.schema, document)),
          conditional: isConditional(document),
          cost: new Cost(this.schema, document)
        }
      return { errors: errors.map(e => invalid(e, 'invalid_input', literalItems(document, e))) }
    } catch (error) {
      return { errors: [unreadable(error)] }
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
