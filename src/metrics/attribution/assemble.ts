import { type Big } from 'big.js'
import type { AttributionModel, ModelCredits } from '../models/attribution.js'
import { sharesOf, shownDecimal } from '../models/exact.js'
import type { Journey } from '../models/journeys.js'
import type { Transition } from '../models/markov.js'
import type { AttributionValue } from './schema.js'

type Shown = AttributionValue['models'][number]
type ShownCredit = Shown['credits'][number]

/** Journeys with the keys that their paths are made of, and what they are worth exactly. */
export interface Journeys {
  keys: (string | null)[]
  journeys: Journey[]
  conversions: number
  attributed: number
  /** What won deals are worth, and those of them that have touches. */
  amount: Big
  attributedValue: Big
  nulls: number
  censored: number
}

/** What is said beside the credit of a model. */
export interface Terms {
  margin: number
  /** What was spent, by key; nothing where no cost is recorded. */
  costs: ReadonlyMap<string | null, Big>
  labelOf(key: string | null): string
  reason(pointer: string, code: string): void
}

function returns(
  value: string,
  margin: number,
  cost: Big | undefined
): Pick<ShownCredit, 'cost' | 'roi' | 'roas'> {
  if (cost === undefined) return { cost: null, roi: null, roas: null }
  const shown = shownDecimal(cost)
  if (cost.eq(0)) return { cost: shown, roi: null, roas: null }
  const [earned, spent] = [Number(value), cost.toNumber()]
  return { cost: shown, roi: (earned * margin - spent) / spent, roas: earned / spent }
}

const inOrder = new Intl.Collator('en', { numeric: true })

const byLabel = (a: ShownCredit, b: ShownCredit) =>
  Number(a.key === null) - Number(b.key === null) || inOrder.compare(a.label, b.label)

const stateOf = (keys: Journeys['keys'], state: Transition['from'] | Transition['to']) =>
  typeof state === 'number' ? keys[state]! : state

/** The answer of one model, with what was spent for what. */
function modelShown(
  { keys, attributedValue }: Journeys,
  { model, credits, chain }: ModelCredits,
  { margin, costs, labelOf }: Terms
): Shown {
  const values = sharesOf(
    attributedValue,
    credits.map(c => c.value)
  )
  const credited = credits.map(({ key: place, conversions, low, high }, i): ShownCredit => {
    const key = keys[place]!
    return {
      key,
      label: labelOf(key),
      conversions,
      value: values[i]!,
      ...(low !== undefined && { low, high: high! }),
      ...returns(values[i]!, margin, costs.get(key)),
      ...(chain && { removalEffect: Math.min(1, chain.removalEffects.get(place) ?? 0) })
    }
  })
  const known = new Set(credited.map(c => c.key))
  const spentOnly = [...costs]
    .filter(([key]) => !known.has(key))
    .map(([key, cost]): ShownCredit => {
      return { key, label: labelOf(key), conversions: 0, value: '0', ...returns('0', margin, cost) }
    })
  return {
    model,
    credits: [...credited, ...spentOnly].sort(byLabel),
    ...(chain && {
      pConversion: chain.pConversion,
      transitions: chain.transitions.map(m => ({
        from: stateOf(keys, m.from),
        to: stateOf(keys, m.to),
        p: m.p
      }))
    })
  }
}

function tellReasons({ models }: AttributionValue, { reason }: Terms): void {
  models.forEach(({ model, credits, pConversion }, m) => {
    const at = `/models/${m}`
    if (model === 'markov' && pConversion === undefined) reason(`${at}/pConversion`, 'no_chain')
    credits.forEach(({ cost, roi }, i) => {
      if (cost === null) reason(`${at}/credits/${i}/cost`, 'no_cost_recorded')
      if (roi !== null) return
      for (const name of ['roi', 'roas'])
        reason(`${at}/credits/${i}/${name}`, cost === null ? 'cost_unknown' : 'cost_zero')
    })
  })
}

/** The answer of all models. */
export function attributionOf(all: Journeys, found: readonly ModelCredits[], terms: Terms): AttributionValue {
  const { conversions, attributed, amount, attributedValue, nulls, censored } = all
  const value: AttributionValue = {
    conversions,
    amount: shownDecimal(amount),
    attributed: { conversions: attributed, value: shownDecimal(attributedValue) },
    unattributed: {
      conversions: conversions - attributed,
      value: shownDecimal(amount.round(10).minus(attributedValue.round(10)))
    },
    nulls,
    censored,
    models: found.map(model => modelShown(all, model, terms))
  }
  tellReasons(value, terms)
  return value
}

/** Below this many conversions the models that learn from all journeys at once say little. */
const fewConversions = 30

const learning: readonly AttributionModel[] = ['shapley', 'markov']

/** What a reader should know. */
export function warningsOf(conversions: number, models: readonly AttributionModel[]) {
  const few = conversions < fewConversions && models.some(m => learning.includes(m))
  return [
    {
      code: 'not_causal',
      message: 'Attribution shares credit; it does not measure what would have happened without.'
    },
    ...(few
      ? [
          {
            code: 'few_conversions',
            message: `Shapley and Markov say little below ${fewConversions} conversions with touches.`,
            count: conversions
          }
        ]
      : [])
  ]
}
