import {
  Closed,
  Currency,
  Instant,
  Integer,
  Text,
  TimeZone,
  Type,
  type Field,
  type Static,
  type TObject,
  type TSchema
} from '../kernel/schema.js'
import { JsonValue } from '../kernel/standard-schemas.js'
import { partsOf } from './groups.js'
import { described } from './parameters.js'
import { Count } from './rate.js'

const Warning = Closed(
  {
    code: described(Text(100), 'Which warning it is.'),
    message: described(Text(1000), 'The same in words.'),
    count: Type.Optional(Count('How many records it is about.'))
  },
  { 'x-type': 'MetricWarning', description: 'What a reader should know of an answer.' }
)

/** What a reader should know of an answer. */
export type MetricWarning = Static<typeof Warning>

/** The schema of a figure's answer, by that of its value; `more` are the members that only this figure has. */
export function answerOf(
  shape: TObject,
  parameters: Record<string, Field>,
  name: string,
  more: Record<string, TSchema> = {}
): TSchema {
  const { bucket, group } = partsOf(shape)
  return Closed(
    {
      metric: described(Text(100), 'The figure, as the catalogue has it.'),
      version: described(Integer(1, 1000), 'The version of its definition.'),
      parameters: JsonValue('As given, with their defaults.'),
      timeZone: described(TimeZone(), 'Where local dates began.'),
      ...(parameters.currency && { currency: described(Currency(), 'The currency of all money here.') }),
      asOf: described(Instant(), 'Facts after it did not exist for the answer.'),
      knownAt: described(Instant(), 'Give it to get the same answer again.'),
      value: shape,
      ...(parameters.interval && {
        buckets: Type.Optional(Type.Array(bucket, { description: 'With `interval`.' }))
      }),
      ...(parameters.groupBy && {
        groups: Type.Optional(
          Type.Array(group(parameters.interval !== undefined), { description: 'With `groupBy`.' })
        )
      }),
      ...more,
      counts: JsonValue('Records looked at.'),
      excluded: JsonValue('Records left out, by reason.'),
      reasons: JsonValue('Why a number is null, by its JSON pointer.'),
      warnings: Type.Array(Warning),
      explain: Type.Optional(
        JsonValue(
          'With `explain`: the formula; and where the answer has a number that tells them, its `ids` and `nextCursor`.'
        )
      )
    },
    { 'x-type': name, description: 'A figure with all that it rests on.' }
  )
}
