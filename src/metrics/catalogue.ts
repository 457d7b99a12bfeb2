import { operation, value, type Operation } from '../kernel/operation.js'
import {
  Closed,
  Integer,
  Json,
  List,
  Nullable,
  Text,
  Type,
  type Field,
  type Static
} from '../kernel/schema.js'
import { described } from './parameters.js'

const entry = Closed(
  {
    name: described(Text(100), 'The last part of its path.'),
    version: described(Integer(1, 1000), 'Grows when the same facts would answer differently.'),
    definition: described(Text(5000), 'What it means, the awkward cases included.'),
    formula: described(Text(5000), 'How its numbers are computed.'),
    unit: described(Text(200), 'What it counts in.'),
    parameters: Type.Array(
      Closed(
        {
          name: described(Text(100), 'As in a query or a body.'),
          description: described(Text(1000), 'What it decides.'),
          default: Json('What holds without it; null where the description says what does.'),
          choices: described(
            Nullable(List(Text(100), 100)),
            'All values that it takes; null where they are not a list.'
          )
        },
        { 'x-type': 'MetricParameter', description: 'A parameter of a figure.' }
      )
    ),
    dimensions: described(List(Text(100), 1000), 'The fields that it can be broken down by.'),
    source: described(Text(1000), 'Where the definition comes from.')
  },
  { 'x-type': 'Metric', description: 'What a figure is.' }
)

/** What the catalogue says of a parameter. */
export const parameterEntry = (name: string, schema: Field): Static<typeof entry>['parameters'][number] => ({
  name,
  description: schema.description ?? '',
  default: (schema.default as unknown) ?? null,
  choices: (schema.enum as string[] | undefined) ?? null
})

/** What the catalogue says of a figure. */
export type CatalogueEntry = Static<typeof entry>

/** The call that lists every figure with its definition. */
export const catalogue = (entries: () => CatalogueEntry[]): Operation =>
  operation({
    name: 'metrics.list',
    kind: 'read',
    permission: 'metrics:read',
    summary: 'Every figure with its definition, formula, unit and parameters',
    rest: 'GET /metrics',
    graphql: 'metrics.catalogue',
    result: value(
      Closed({ data: Type.Array(entry) }, { 'x-type': 'MetricCatalogue', description: 'All figures.' })
    ),
    run: async () => ({ data: entries() })
  })
