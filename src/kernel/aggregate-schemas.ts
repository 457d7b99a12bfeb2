import { groupableFields, measurableFields, pathRelations } from './aggregate-fields.js'
import { aggregateOperators } from './aggregate-measures.js'
import type { Resource } from './resource.js'
import {
  About,
  Bool,
  Closed,
  Enum,
  Integer,
  List,
  Nullable,
  Share,
  Text,
  TimeZone,
  Type,
  type Field,
  type TObject
} from './schema.js'
import { searchParameter } from './standard-schemas.js'
import { grains } from './time-grains.js'

/** How much one request may ask for. */
export const aggregateLimits = { groups: 4, measures: 20, buckets: 1000, standardBuckets: 100 }

const optional = <T>(description: string, schema: Field<T>) =>
  Type.Optional(Nullable(About(description, schema)))

const Name = (of: string) =>
  optional(
    `What ${of} is called in the answer, where its own name is too long.`,
    Text(64, { pattern: '^[A-Za-z][A-Za-z0-9_.]*$', examples: ['value'] })
  )

const path = (names: readonly string[], resource: Resource) => {
  const relations = pathRelations(resource).map(([name]) => `\`${name}\``)
  const related = relations.length === 0 ? '' : `, or one of ${relations.join(', ')} after its name and a dot`
  const own = names.filter(name => name !== 'customFields')
  return `\`${own.join('`, `')}\`, a custom field as \`customFields.tier\`${related}.`
}

/** What is asked of a group or a measure beside its path. */
export const groupSchema = Closed({
  grain: Type.Optional(
    Nullable(
      About(
        'What a time or a day is grouped by: a span of the calendar, named by its first local day, or a part that comes again, as a number. Absent: each value by itself.',
        Enum('TimeGrain', grains)
      )
    )
  ),
  name: Name('it')
})
export const measureSchema = Closed({
  op: About(
    'What is found out: how many records have a value, how many different values there are, their sum, mean, least, greatest, or a percentile between them (type 7).',
    Enum('AggregateOperator', aggregateOperators)
  ),
  p: optional('The percentile as a share of 1: 0.5 for the median.', Share()),
  name: Name('it')
})

/** What both surfaces say of the parts that each writes in its own way. */
export const aggregateTexts = {
  groupBy: `What records are put together by, at most ${aggregateLimits.groups}; nothing for one bucket of all.`,
  measures: `What to find out of each bucket beside its \`count\`, at most ${aggregateLimits.measures}. Money is measured of one currency at a time: group by it, or filter by one.`,
  since: 'Another time: then what is measured is the days of 86,400 seconds from it to the field.'
}

const GroupBy = (resource: Resource) =>
  Closed({
    field: About(path(groupableFields(resource), resource), Text(200, { examples: ['createdAt'] })),
    ...groupSchema.properties
  })

const Measure = (resource: Resource) =>
  Closed({
    field: About(path(measurableFields(resource), resource), Text(200, { examples: ['updatedAt'] })),
    since: optional(aggregateTexts.since, Text(200, { examples: ['createdAt'] })),
    ...measureSchema.properties
  })

/** What is the same for a resource on every surface; `groupBy`, `measures` and `filter` are written in the way of each. */
export const aggregateCommon = (resource: Resource) => ({
  ...searchParameter(resource),
  orderBy: Type.Optional(
    About(
      'Names of groups or measures, or `count`; `-` before one for descending. Nulls come last. Ties, and all without it, are in the order of the groups.',
      List(Text(65, { examples: ['-count'] }), 10)
    )
  ),
  limit: Type.Optional(
    About(
      `How many buckets to answer at most; ${aggregateLimits.standardBuckets} unless said.`,
      Integer(1, aggregateLimits.buckets)
    )
  ),
  timeZone: optional("Where spans and parts of time are cut, IANA. Absent: the workspace's.", TimeZone())
})

/** The body of an aggregate of a resource. */
export const aggregateBody = (resource: Resource): TObject =>
  Closed(
    {
      filter: Type.Optional(
        Type.Unsafe<Record<string, unknown>>({
          type: 'object',
          'x-kind': 'json',
          'x-filter': resource.name,
          description: 'Which records: the filter of their search.'
        })
      ),
      groupBy: Type.Optional(
        Type.Array(GroupBy(resource), {
          maxItems: aggregateLimits.groups,
          description: aggregateTexts.groupBy
        })
      ),
      measures: Type.Optional(
        Type.Array(Measure(resource), {
          maxItems: aggregateLimits.measures,
          description: aggregateTexts.measures
        })
      ),
      ...aggregateCommon(resource)
    },
    {
      examples: [
        {
          groupBy: [{ field: 'createdAt', grain: 'month' }],
          measures: [
            { op: 'percentile', field: 'updatedAt', since: 'createdAt', p: 0.5, name: 'medianDays' }
          ],
          orderBy: ['-count'],
          limit: 12
        }
      ]
    }
  )

const Keyed = (description: string, example: object) =>
  Type.Unsafe<Record<string, unknown>>({
    type: 'object',
    additionalProperties: true,
    'x-kind': 'json',
    description,
    examples: [example]
  })

/** What an aggregate answers. */
export const aggregateResult = Closed(
  {
    data: Type.Array(
      Closed(
        {
          group: Keyed(
            'What its records have in common, by the names of the groups; null where they have no value.',
            {
              'createdAt.month': '2026-01-01'
            }
          ),
          count: About('How many records it has.', Integer(0, 2147483647)),
          values: Keyed(
            'The measures by their names; null where no record has a value. Decimals are strings.',
            {
              medianDays: 3.5
            }
          ),
          filter: Keyed(
            'Lists exactly its records, together with the `search` of the request if it had one.',
            {
              and: [{ createdAt: { gte: '2026-01-01T00:00:00.000Z', lt: '2026-02-01T00:00:00.000Z' } }]
            }
          )
        },
        {
          'x-type': 'AggregateBucket',
          description: 'Records that are alike in all that they are grouped by.'
        }
      )
    ),
    buckets: About('How many buckets there are in all.', Integer(0, 2147483647)),
    hasMore: About('Whether there are more buckets than these.', Bool()),
    timeZone: About('Where spans and parts of time were cut.', TimeZone())
  },
  { 'x-type': 'Aggregate', description: 'Buckets of records with their measures.' }
)
