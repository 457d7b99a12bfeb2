import { inBackground } from '../background.js'
import { attributionModels, type AttributionModel, type ModelCredits } from '../models/attribution.js'
import type { Journey } from '../models/journeys.js'
import { refused, type Request } from '../parameters.js'

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

/**
 * What the models say of each set of journeys, unless they are told to stop; a 422 where intervals would need too many
 * draws.
 */
export function creditsOf(
  { given, place }: Request<ModelRequest>,
  sets: readonly Journey[][],
  stop: AbortSignal | undefined
): Promise<ModelCredits[][]> {
  const { models = attributionModels, halfLifeDays = 7, markovOrder = 1, bootstrap = 0, seed = 1 } = given
  const journeys = sets.flat().reduce((n, j) => n + j.conversions + j.nulls, 0)
  if (journeys * bootstrap > mostDrawn) {
    const message = `That would draw more than ${mostDrawn} journeys: there are ${journeys}.`
    throw refused(place, 'bootstrap', message, 'too_many', 'unprocessable')
  }
  const settings = { halfLifeDays, markovOrder, bootstrap, seed }
  return inBackground('attribution', { sets, models, settings }, stop)
}
