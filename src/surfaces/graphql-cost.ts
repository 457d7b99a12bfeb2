import {
  getNamedType,
  GraphQLError,
  isAbstractType,
  isObjectType,
  Kind,
  visit,
  type DocumentNode,
  type GraphQLSchema
} from 'graphql'
import {
  fieldExtensionsEstimator,
  getComplexity,
  type ComplexityEstimator,
  type ComplexityEstimatorArgs
} from 'graphql-query-complexity'
import { limits, tooComplex } from './graphql-guards.js'

// What a statement of its own costs, in records; a figure or an aggregate reads many of them.
const statementCost = 10
const figureCost = 1000
const largestPage = 1000
// No operation answers more items without being asked for them.
const usualLimit = 100

const costs = (complexity: ComplexityEstimator) => ({ extensions: { complexity } })

// A size out of range is refused where it is used, with its name.
function sizeOf(args: ComplexityEstimatorArgs['args'], standard: number): number {
  const given: unknown = args.first ?? args.last ?? args.limit
  return typeof given === 'number' ? Math.min(Math.max(given, 0), largestPage) : standard
}

/** A list at the root: the records asked for. */
export const listCost = (standardSize: number) =>
  costs(({ args, childComplexity }) => statementCost + sizeOf(args, standardSize) * childComplexity)

/** A list below a record, counted for each of these; they share a statement. */
export const nestedListCost = (standardSize: number) =>
  costs(({ args, childComplexity }) => 1 + sizeOf(args, standardSize) * childComplexity)

/** A list of entries below a record: one for each, as for a record, and what is asked of it. */
export const entriesCost = (standardSize: number) =>
  costs(({ args, childComplexity }) => 1 + sizeOf(args, standardSize) * (1 + childComplexity))

/** The objects that a field of a record lists: what is asked of as many as there may be. */
export const linksCost = (most: number) => costs(({ childComplexity }) => most * childComplexity)

/** A search over so many kinds: as many records of each as are asked for. */
export const searchCost = (kinds: number) =>
  costs(({ args, childComplexity }) => {
    const asked = Array.isArray(args.types) ? new Set(args.types).size : kinds
    return asked * (statementCost + sizeOf(args, 10) * childComplexity)
  })

/** As many records as ids are given. */
export const idsCost = costs(
  ({ args, childComplexity }) => statementCost + (args.ids as string[]).length * (1 + childComplexity)
)

/** An operation: what it does, the items of its page where it has one, and the records in its answer. */
export const operationCost = (readsMany: boolean) =>
  costs(({ args, field, childComplexity }) => {
    const itself = readsMany ? figureCost : statementCost
    if (!field.args.some(a => a.name === 'limit')) return itself + childComplexity
    return itself + sizeOf(args, usualLimit) * Math.max(1, childComplexity)
  })

// A record costs one, wherever it stands; its own values cost nothing.
const recordCost: ComplexityEstimator = ({ field, childComplexity }) => {
  const type = getNamedType(field.type)
  const record = isAbstractType(type) || (isObjectType(type) && type.getInterfaces().length > 0)
  return childComplexity + (record ? 1 : 0)
}

const estimators = [fieldExtensionsEstimator(), recordCost]

const sizes = new Set(['first', 'last', 'limit', 'ids', 'types'])

// The variables that a cost depends on: sizes, lists of what is asked for, and what leaves fields out.
function decisive(document: DocumentNode): string[] {
  const names = new Set<string>()
  const collect = { Variable: (node: { name: { value: string } }) => void names.add(node.name.value) }
  visit(document, {
    Directive: node => void visit(node, collect),
    Argument(node) {
      if (sizes.has(node.name.value)) visit(node.value, collect)
    }
  })
  const all = document.definitions.flatMap(d =>
    d.kind === Kind.OPERATION_DEFINITION ? (d.variableDefinitions ?? []) : []
  )
  return [...new Set(all.map(d => d.variable.name.value))].filter(name => names.has(name))
}

/** The cost of one document's operations, worked out anew only for values that it depends on. */
export class Cost {
  private readonly variables: string[]
  private last: { key: string; cost: number } | undefined

  constructor(
    private readonly schema: GraphQLSchema,
    private readonly document: DocumentNode
  ) {
    this.variables = decisive(document)
  }

  /** About how many records an answer takes at most. The variables must have been checked. */
  of(operationName: string | undefined, given: Record<string, unknown>): number {
    const values = this.variables.map(name => given[name])
    const key = values.length === 0 ? (operationName ?? '') : JSON.stringify([operationName, values])
    if (this.last?.key === key) return this.last.cost
    const cost = this.estimate(operationName, given)
    this.last = { key, cost }
    return cost
  }

  private estimate(operationName: string | undefined, variables: Record<string, unknown>): number {
    const { schema, document: query } = this
    try {
      return getComplexity({
        schema,
        query,
        variables,
        estimators,
        ...(operationName !== undefined && { operationName })
      })
    } catch (error) {
      // Fragments in fragments make a small document large.
      if (error instanceof GraphQLError) return Infinity
      throw error
    }
  }
}

/** What is wrong with a cost: nothing, or that it is over the limit. */
export function guardCost(cost: number): GraphQLError | undefined {
  if (cost <= limits.cost) return undefined
  const known = Number.isFinite(cost)
  const what = known ? `costs ${cost}` : 'is too large to be counted'
  return tooComplex(`Ask for less at once: this ${what}, the limit is ${limits.cost}.`, {
    ...(known && { cost }),
    limit: limits.cost
  })
}
