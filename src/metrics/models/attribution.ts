import { Adder } from 'd3-array'
import { markovChain, markovCredits, type Chain } from './markov.js'
import type { Credits, Journey } from './journeys.js'
import { randomNumbers } from './random.js'
import { ascending, quantile } from './stats.js'
import { touchWeights, type TouchModel } from './touch-weights.js'

/** The attribution models, in the order in which they are usually told. */
export const attributionModels = [
  'first',
  'last',
  'last_non_direct',
  'linear',
  'position',
  'w_shaped',
  'time_decay',
  'shapley',
  'markov'
] as const

export type AttributionModel = (typeof attributionModels)[number]

/** What the models are told besides the journeys. */
export interface AttributionSettings {
  halfLifeDays: number
  markovOrder: number
  /** How many times the journeys are resampled for intervals; 0: never. */
  bootstrap: number
  seed: number
}

/** A key with its credit, and the interval of its conversions. */
export interface Credited {
  key: number
  conversions: number
  value: number
  low?: number
  high?: number
}

/** What one model says. */
export interface ModelCredits {
  model: AttributionModel
  credits: Credited[]
  /** Of `markov`; absent where its chain could not be made. */
  chain?: Chain
}

interface Shared {
  journey: number
  key: number
  weight: number
}

const shares = (journeys: readonly Journey[], model: TouchModel, halfLifeDays: number): Shared[] =>
  journeys.flatMap((j, journey) =>
    j.conversions === 0 || j.path.length === 0
      ? []
      : touchWeights[model](j, halfLifeDays)
          .map((weight, i) => ({ journey, key: j.path[i]!, weight }))
          .filter(s => s.weight > 0)
  )

/**
 * The keys that a model gives a part of a journey that converted. Markov shares what all of them brought together: there
 * they are all keys of the journey.
 */
export function creditedKeys(journey: Journey, model: AttributionModel, halfLifeDays: number): Set<number> {
  return new Set(model === 'markov' ? journey.path : shares([journey], model, halfLifeDays).map(s => s.key))
}

// Sums of very many amounts would drift.
function creditsOf(journeys: readonly Journey[], shared: readonly Shared[]): Credits {
  const sums = new Map<number, { conversions: Adder; value: Adder }>()
  for (const { journey, key, weight } of shared) {
    const sum = sums.get(key) ?? { conversions: new Adder(), value: new Adder() }
    sums.set(key, sum)
    sum.conversions.add(weight * journeys[journey]!.conversions)
    sum.value.add(weight * journeys[journey]!.value)
  }
  return new Map([...sums].map(([key, s]) => [key, { conversions: +s.conversions, value: +s.value }]))
}

/** How often each journey is drawn when as many as there are are drawn with replacement. */
function resampled(journeys: readonly Journey[], random: () => number): Journey[] {
  const ends: number[] = []
  let all = 0
  for (const { conversions, nulls } of journeys) ends.push((all += conversions), (all += nulls))
  const drawn = new Float64Array(ends.length)
  for (let i = 0; i < all; i++) {
    const at = random() * all
    let [low, high] = [0, ends.length - 1]
    while (low < high) {
      const middle = (low + high) >>> 1
      if (ends[middle]! <= at) low = middle + 1
      else high = middle
    }
    drawn[low]!++
  }
  return journeys.map((j, i) => ({
    ...j,
    conversions: drawn[2 * i]!,
    nulls: drawn[2 * i + 1]!,
    value: j.conversions === 0 ? 0 : (j.value * drawn[2 * i]!) / j.conversions
  }))
}

function attributed(journeys: readonly Journey[]): { conversions: number; value: number } {
  const touched = journeys.filter(j => j.path.length > 0)
  const [conversions, value] = [new Adder(), new Adder()]
  for (const j of touched) {
    conversions.add(j.conversions)
    value.add(j.value)
  }
  return { conversions: +conversions, value: +value }
}

type Rule = (journeys: readonly Journey[]) => { credits: Credits; chain?: Chain }

function ruleOf(
  model: AttributionModel,
  all: readonly Journey[],
  { halfLifeDays, markovOrder }: AttributionSettings
): Rule {
  if (model === 'markov') {
    return journeys => {
      const chain = markovChain(journeys, markovOrder)
      const { conversions, value } = attributed(journeys)
      return chain ? { credits: markovCredits(chain, conversions, value), chain } : { credits: new Map() }
    }
  }
  const shared = shares(all, model, halfLifeDays)
  return journeys => ({ credits: creditsOf(journeys, shared) })
}

type Rules = readonly [AttributionModel, Rule][]

/** The conversions of each key by each model, once for every sample. */
function bootstrapped(rules: Rules, journeys: readonly Journey[], { bootstrap, seed }: AttributionSettings) {
  const random = randomNumbers(seed)
  const drawn = rules.map(() => new Map<number, Float64Array>())
  for (let sample = 0; sample < bootstrap; sample++) {
    const chosen = resampled(journeys, random)
    rules.forEach(([, rule], i) => {
      for (const [key, { conversions }] of rule(chosen).credits) {
        const all = drawn[i]!.get(key) ?? new Float64Array(bootstrap)
        drawn[i]!.set(key, all)
        all[sample] = conversions
      }
    })
  }
  return drawn
}

/** The 95 % percentile interval (Efron, Tibshirani 1993). */
function interval(drawn: Float64Array | undefined): { low: number; high: number } | undefined {
  if (!drawn) return undefined
  const sorted = ascending(drawn)
  return { low: quantile(sorted, 0.025)!, high: quantile(sorted, 0.975)! }
}

/** The credit of every key by every model asked for. Journeys without touches have none to give. */
export function attribute(
  journeys: readonly Journey[],
  models: readonly AttributionModel[],
  settings: AttributionSettings
): ModelCredits[] {
  const rules: Rules = models.map(model => [model, ruleOf(model, journeys, settings)])
  const drawn = bootstrapped(rules, journeys, settings)
  return rules.map(([model, rule], i) => {
    const { credits, chain } = rule(journeys)
    const credited = [...credits]
      .sort(([a], [b]) => a - b)
      .map(([key, found]) => ({ key, ...found, ...interval(drawn[i]!.get(key)) }))
    return { model, credits: credited, ...(chain && { chain }) }
  })
}
