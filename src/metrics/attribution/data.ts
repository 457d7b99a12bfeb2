import { Big } from 'big.js'
import { Closed, GivenAmount, Instant, Nullable, Text, Type, type Static } from '../../kernel/schema.js'
import type { Answered } from '../figure.js'
import { attributionModels } from '../models/attribution.js'
import type { Journey } from '../models/journeys.js'
import { described, refused, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { Count } from '../rate.js'
import { attributionOf, warningsOf, type Journeys } from './assemble.js'
import { creditsOf, type ModelRequest } from './credits.js'
import { register } from './read.js'
import type { AttributionValue } from './schema.js'

const Key = () => described(Nullable(Text(200)), 'A channel or campaign; `direct` is direct.')

const GivenTouch = Closed(
  { key: Key(), at: described(Instant(), 'When it was.') },
  { 'x-type': 'AttributionGivenTouch', description: 'A touch.' }
)

const GivenJourney = Closed(
  {
    path: Type.Optional(
      Type.Array(Key(), { maxItems: 1000, description: 'Touches in their order, else `touches`.' })
    ),
    touches: Type.Optional(
      Type.Array(GivenTouch, { maxItems: 1000, description: 'Touches with their times, for `time_decay`.' })
    ),
    closedAt: Type.Optional(
      described(Instant(), 'When it was closed, with `touches`: later ones earn nothing.')
    ),
    conversions: Type.Optional(Count('Conversions of this journey. Absent: 1.')),
    value: Type.Optional(described(GivenAmount(), 'What they are worth together. Absent: 0.')),
    nulls: Type.Optional(Count('Times that it ended without. Absent: 0.'))
  },
  { 'x-type': 'AttributionGivenJourney', description: 'A journey, or several equal ones.' }
)

const GivenCost = Closed(
  { key: Key(), cost: described(Nullable(GivenAmount()), 'What was spent; null: unknown.') },
  { 'x-type': 'AttributionGivenCost', description: 'What was spent on a channel or campaign.' }
)

const GivenRow = Closed(
  {
    key: Key(),
    value: described(GivenAmount(), 'What it is credited with.'),
    cost: described(Nullable(GivenAmount()), 'What was spent; null: unknown.')
  },
  { 'x-type': 'AttributionGivenRow', description: 'What a channel or campaign brought and cost.' }
)

/** What attribution can be computed from instead of records. */
export const attributionData = Closed(
  {
    journeys: Type.Optional(
      Type.Array(GivenJourney, { maxItems: 20000, description: 'Journeys, else `rows`.' })
    ),
    costs: Type.Optional(Type.Array(GivenCost, { maxItems: 1000, description: 'Costs, with `journeys`.' })),
    rows: Type.Optional(
      Type.Array(GivenRow, { maxItems: 1000, description: 'Values and costs, for the return alone.' })
    )
  },
  { 'x-type': 'AttributionData', description: 'Journeys with costs, or what came of some.' }
)

type Data = Static<typeof attributionData>
type Given = Static<typeof GivenJourney>

const msPerDay = 86_400_000

function journeyOf(given: Given, place: (key: string | null) => number): Journey {
  const closed = Date.parse(given.closedAt ?? '')
  const timed = given.touches
    ?.map(t => ({ key: t.key, age: (closed - Date.parse(t.at)) / msPerDay }))
    .filter(t => t.age >= 0)
    .sort((a, b) => b.age - a.age)
  const keys = timed?.map(t => t.key) ?? given.path!
  return {
    path: keys.map(place),
    direct: keys.map(k => k?.toLowerCase() === 'direct'),
    ...(timed && { ages: timed.map(t => t.age) }),
    conversions: given.conversions ?? 1,
    value: Number(given.value ?? 0),
    nulls: given.nulls ?? 0
  }
}

type Asked = Request<ModelRequest & { margin?: number; nulls?: 'include' | 'exclude'; currency?: string }>

// Other forms would leave the time of a touch, or of the close, open.
function refuseUnfit({ journeys, rows }: Data, { place }: Asked): void {
  const fits = (j: Given) =>
    j.touches ? j.closedAt !== undefined && !j.path : j.path !== undefined && !j.closedAt
  if (journeys ? journeys.every(fits) && !rows : rows) return
  const message = 'Give journeys that each have a path, or touches and closedAt; or else rows.'
  throw refused(place, 'data', message, 'data_form')
}

function modelsOf({ given, place }: Asked, journeys: readonly Journey[]) {
  const untimed = journeys.some(j => !j.ages)
  if (untimed && given.models?.includes('time_decay'))
    throw refused(place, 'models', 'time_decay needs touches with their times.', 'needs_times')
  return given.models ?? attributionModels.filter(m => !untimed || m !== 'time_decay')
}

const total = (amounts: readonly (string | undefined)[]) =>
  amounts.reduce((sum, a) => sum.plus(a ?? 0), new Big(0))

const costsOf = (rows: readonly { key: string | null; cost: string | null }[]) =>
  new Map(rows.flatMap(({ key, cost }) => (cost === null ? [] : [[key, new Big(cost)] as const])))

const count = (journeys: readonly Journey[], of: 'conversions' | 'nulls') =>
  journeys.reduce((n, j) => n + j[of], 0)

const nobody = '–'

/** Attribution of given journeys, or the return of given rows. */
export async function fromData(
  data: Data,
  request: Asked,
  _frame: Frame,
  stop: AbortSignal | undefined
): Promise<Answered<AttributionValue>> {
  refuseUnfit(data, request)
  const { given } = request
  const { keys, place } = register()
  const rows = data.rows ?? []
  const journeys = (data.journeys ?? []).map(j => journeyOf(j, place))
  const models = data.rows ? (given.models ?? ['last']).slice(0, 1) : modelsOf(request, journeys)
  const counting = given.nulls === 'exclude' ? journeys.map(j => ({ ...j, nulls: 0 })) : journeys
  const touched = journeys.filter(j => j.path.length > 0)
  const all: Journeys = {
    keys,
    journeys,
    conversions: count(journeys, 'conversions'),
    attributed: count(touched, 'conversions'),
    amount: total([...rows, ...(data.journeys ?? [])].map(j => j.value)),
    attributedValue: total(
      [...rows, ...(data.journeys ?? []).filter((_, i) => journeys[i]!.path.length > 0)].map(j => j.value)
    ),
    nulls: count(journeys, 'nulls'),
    censored: 0
  }
  const found = data.rows
    ? [
        {
          model: models[0]!,
          credits: rows.map(r => ({ key: place(r.key), conversions: 0, value: Number(r.value) }))
        }
      ]
    : (await creditsOf({ ...request, given: { ...given, models: [...models] } }, [counting], stop))[0]!
  const reasons: Record<string, string> = {}
  const value = attributionOf(all, found, {
    margin: given.margin ?? 1,
    costs: costsOf(data.rows ?? data.costs ?? []),
    labelOf: key => key ?? nobody,
    reason: (pointer, code) => void (reasons[`/value${pointer}`] = code)
  })
  return {
    value,
    parameters: { models: [...models] },
    counts: { deals: all.conversions, nulls: all.nulls, censored: 0 },
    excluded: {},
    reasons,
    warnings: warningsOf(all.attributed, models)
  }
}
