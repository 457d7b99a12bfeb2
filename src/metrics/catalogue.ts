import { operation, value, type Operation } from '../kernel/operation.js'
import { Closed, Integer, List, Nullable, Text, Type, type Field, type Static } from '../kernel/schema.js'

const Anything = (description: string) =>
  Type.Unsafe<unknown>({ 'x-kind': 'json', description }) as unknown as Field

const entry = Closed(
  {
    name: Text(100),
    version: Integer(1, 1000),
    definition: Text(5000),
    formula: Text(5000),
    unit: Text(200),
    parameters: Type.Array(
      Closed(
        {
          name: Text(100),
          description: Text(1000),
          default: Anything('What holds without it; null where the description says what does.'),
          choices: Nullable(List(Text(100), 100))
        },
        { 'x-type': 'MetricParameter' }
      )
    ),
    dimensions: List(Text(100), 100),
    source: Text(1000)
  },
  { 'x-type': 'Metric' }
)

/** What the catalogue says of a figure. */
export type CatalogueEntry = Static<typeof entry>

/** The call that lists every figure with its definition. */
export const catalogue = (entries: CatalogueEntry[]): Operation =>
  operation({
    name: 'metrics.list',
    kind: 'read',
    permission: 'metrics:read',
    summary: 'Every figure with its definition, formula, unit and parameters',
    rest: 'GET /metrics',
    graphql: 'metrics.catalogue',
    result: value(Closed({ data: Type.Array(entry) }, { 'x-type': 'MetricCatalogue' })),
    run: async () => ({ data: entries })
  })
