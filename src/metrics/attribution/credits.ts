import { inBackground } from '../background.js'
import {
  attributionModels,
  creditedKeys,
  type AttributionModel,
  type ModelCredits
} from '../models/attribution.js'
import type { Journey } from '../models/journeys.js'
import { refused, type Request } from '../parameters.js'
import { read, sorted, type JourneyRow } from './read.js'

/** The most journeys that are drawn for intervals. */
const mostDrawn = 20_000_000

/** The parameters of the models themselves. */
export interface ModelRequest {
  models?: AttributionModel[]
  halfLifeDays?: number
  markovOrder?: number
  bootstrap?: number
  seed?: number
}

const defaultHalfLife = 7

/** The rows of won deals that a model gives each key a part of. */
export function creditedRows(
  rows: readonly JourneyRow[],
  model: AttributionModel,
  halfLifeDays = defaultHalfLife
): Map<string | null, JourneyRow[]> {
  const { attributed } = sorted(rows)
  const { keys, journeys } = read(attributed, false)
  const found = new Map<string | null, JourneyRow[]>()
  attributed.forEach((row, i) => {
    for (const place of creditedKeys(journeys[i]!, model, halfLifeDays)) {
      const known = found.get(keys[place]!)
      if (known) known.push(row)
      else found.set(keys[place]!, [row])
    }
  })
  return found
}

/**
 * What the models say of each set of journeys, unless they are told to stop; a 422 where intervals would need too many
 * draws.
 */
export function creditsOf(
  { given, place }: Request<ModelRequest>,
  sets: readonly Journey[][],
  stop: AbortSignal | undefined
): Promise<ModelCredits[][]> {
  const { models = attributionModels, halfLifeDays = defaultHalfLife } = given
  const { markovOrder = 1, bootstrap = 0, seed = 1 } = given
  const journeys = sets.flat().reduce((n, j) => n + j.conversions + j.nulls, 0)
  if (journeys * bootstrap > mostDrawn) {
    const message = `That would draw more than ${mostDrawn} journeys: there are ${journeys}.`
    throw refused(place, 'bootstrap', message, 'too_many', 'unprocessable')
  }
  const settings = { halfLifeDays, markovOrder, bootstrap, seed }
  return inBackground('attribution', { sets, models, settings }, stop)
}
