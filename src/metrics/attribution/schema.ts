import {
  Closed,
  Computed,
  Enum,
  Nullable,
  Number as AnyNumber,
  Share,
  Text,
  Type,
  type Static
} from '../../kernel/schema.js'
import { attributionModels } from '../models/attribution.js'
import { described } from '../parameters.js'
import { Count } from '../rate.js'

const Part = Closed(
  { conversions: Count('Won deals.'), value: Computed('What they are worth.') },
  { 'x-type': 'AttributionPart', description: 'The won deals with touches, or those without.' }
)

const key = described(
  Nullable(Text(200)),
  'The channel, or the id of the campaign; null: touches without one.'
)

const Credit = Closed(
  {
    key,
    label: described(Text(1000), 'The same for readers.'),
    conversions: described(AnyNumber(), 'Won deals, and shares of them.'),
    value: Computed('Their value.'),
    low: Type.Optional(
      described(AnyNumber(), 'With `bootstrap`: the lower end of the 95 % interval of conversions.')
    ),
    high: Type.Optional(described(AnyNumber(), 'The upper end.')),
    cost: Nullable(Computed('What was spent on it in the period; null where no cost is recorded.')),
    roi: Nullable(described(AnyNumber(), '(value * margin - cost) / cost.')),
    roas: Nullable(described(AnyNumber(), 'value / cost.')),
    removalEffect: Type.Optional(
      described(Share(), 'Of `markov`: the share of conversions that is lost without it.')
    )
  },
  { 'x-type': 'AttributionCredit', description: 'What a channel or campaign is credited with.' }
)

const state = (also: string) => described(Nullable(Text(200)), `A channel or campaign, else ${also}.`)

const Transition = Closed(
  { from: state('`start`'), to: state('`conversion` or `null`'), p: described(Share(), 'Its probability.') },
  {
    'x-type': 'AttributionTransition',
    description: 'A move between touches of a Markov chain of first order.'
  }
)

/** An attribution model by its name. */
export const ModelName = () => Enum('AttributionModel', attributionModels)

const Model = Closed(
  {
    model: described(ModelName(), 'How credit is shared.'),
    credits: Type.Array(Credit, { description: 'By key, those with a cost and no credit too.' }),
    pConversion: Type.Optional(described(Share(), 'Of `markov`: the probability that a journey converts.')),
    transitions: Type.Optional(Type.Array(Transition, { description: 'Of `markov` with `markovOrder` 1.' }))
  },
  { 'x-type': 'AttributionModelCredits', description: 'What one model says.' }
)

/** What attribution finds. */
export const attributionValue = Closed(
  {
    conversions: Count('Won deals closed in the period.'),
    amount: Computed('What they are worth.'),
    attributed: Part,
    unattributed: Part,
    nulls: Count('Lost deals closed in the period, and leads created in it that were given up.'),
    censored: Count('Deals opened and leads created in the period that are still on their way: in no model.'),
    models: Type.Array(Model, { description: 'In the order asked for.' })
  },
  { 'x-type': 'Attribution', description: 'What channels or campaigns are credited with.' }
)

export type AttributionValue = Static<typeof attributionValue>
