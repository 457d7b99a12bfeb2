import type { Journey } from './journeys.js'

/** The share of each touch of a journey that has some; they add up to 1. */
type Weigh = (journey: Journey, halfLifeDays: number) => number[]

const only = ({ path }: Journey, chosen: number) => path.map((_, i) => (i === chosen ? 1 : 0))

const normalised = (weights: number[]) => {
  const sum = weights.reduce((a, b) => a + b, 0)
  return weights.map(w => w / sum)
}

function lastNonDirect(journey: Journey): number[] {
  const last = journey.path.findLastIndex((_, i) => !journey.direct?.[i])
  return only(journey, last === -1 ? journey.path.length - 1 : last)
}

function position({ path }: Journey): number[] {
  const last = path.length - 1
  if (last < 2) return path.map(() => 1 / path.length)
  return path.map((_, i) => (i === 0 || i === last ? 0.4 : 0.2 / (last - 1)))
}

function wShaped({ path, leadTouch = -1, dealTouch = -1 }: Journey): number[] {
  const milestones = [0, leadTouch, dealTouch].filter(i => i >= 0)
  const rest = path.length - new Set(milestones).size
  const weights = path.map((_, i) => {
    const share = 0.3 * milestones.filter(m => m === i).length
    return share > 0 ? share : 0.1 / rest
  })
  return normalised(weights)
}

function timeDecay({ ages }: Journey, halfLifeDays: number): number[] {
  if (!ages) throw new Error('time decay needs the times of touches')
  // Only ratios count, and those of old touches alone would all be 0.
  const youngest = Math.min(...ages)
  return normalised(ages.map(age => 2 ** (-(age - youngest) / halfLifeDays)))
}

/** The value of journeys whose keys all lie in a set has this Shapley value (Zhao, Mahboobi, Bagheri 2018). */
function shapley({ path }: Journey): number[] {
  const distinct = new Set(path).size
  return path.map((key, i) => (path.indexOf(key) === i ? 1 / distinct : 0))
}

/** The models that look at one journey at a time. */
export const touchWeights = {
  first: journey => only(journey, 0),
  last: journey => only(journey, journey.path.length - 1),
  last_non_direct: lastNonDirect,
  linear: ({ path }) => path.map(() => 1 / path.length),
  position,
  w_shaped: wShaped,
  time_decay: timeDecay,
  shapley
} satisfies Record<string, Weigh>

/** A model that looks at one journey at a time. */
export type TouchModel = keyof typeof touchWeights
