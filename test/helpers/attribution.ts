import type { Json } from './expected.js'

const names: Record<string, string> = {
  position: 'position_40_20_40',
  time_decay: 'time_decay_half_life_7d',
  shapley: 'shapley_unordered',
  markov: 'markov_order1'
}

/** What the expected figures call a model. */
export const expectedName = (model: string): string => names[model] ?? model

/** What an answer says of a model. */
export const modelOf = ({ value }: Json, model: string): Json =>
  (value.models as Json[]).find(m => m.model === model)!
