import { GraphQLError, GraphQLScalarType, Kind, valueFromASTUntyped, type ValueNode } from 'graphql'

function textScalar(name: string, description: string): GraphQLScalarType<string, string> {
  const parse = (value: unknown, node?: ValueNode): string => {
    if (typeof value === 'string') return value
    throw new GraphQLError(`${name} is written as a string.`, { nodes: node ?? null })
  }
  return new GraphQLScalarType({
    name,
    description,
    serialize: value => String(value),
    parseValue: value => parse(value),
    parseLiteral: node => parse(node.kind === Kind.STRING ? node.value : undefined, node)
  })
}

export const DateTime = textScalar('DateTime', 'An RFC 3339 instant; answered in UTC with milliseconds.')
export const Day = textScalar('Date', 'A calendar day, YYYY-MM-DD.')
export const Decimal = textScalar('Decimal', 'An exact decimal, written as a string.')

/** Any JSON. Names inside of it are as in REST. */
export const Json = new GraphQLScalarType({
  name: 'JSON',
  description: 'Any JSON value. Names and choices inside of it are written as in REST.',
  serialize: value => value,
  parseValue: value => value,
  parseLiteral: (node, variables) => valueFromASTUntyped(node, variables)
})
