import {
  attribute,
  type AttributionModel,
  type AttributionSettings,
  type ModelCredits
} from './attribution.js'
import type { Customer, Models, ValueSettings } from './customer-value.js'
import { customerModels } from '../predicted/customer-models.js'
import { expectationOf } from './customer-prediction.js'
import { intervalOf, type Interval, type IntervalTask } from './forecast-interval.js'
import type { Journey } from './journeys.js'
import { leadModel, type LeadModel, type LeadTask } from './lead-model.js'
import { qualityOf, type Quality } from './score-quality.js'

/** What a thread of its own works out, by name: what would hold up other requests. */
export const tasks = {
  /** Of several sets of journeys. */
  attribution: (task: {
    sets: readonly Journey[][]
    models: readonly AttributionModel[]
    settings: AttributionSettings
  }): ModelCredits[][] => task.sets.map(journeys => attribute(journeys, task.models, task.settings)),

  leadModel: (task: LeadTask): LeadModel => leadModel(task),

  /** Of so many scores that sorting them takes its time. */
  quality: ({ scores, outcomes }: { scores: readonly number[]; outcomes: readonly number[] }): Quality =>
    qualityOf(scores.map((score, i) => ({ score, outcome: outcomes[i]! }))),

  forecastIntervals: (asked: readonly IntervalTask[]): Interval[] => asked.map(intervalOf),

  customerModels,

  customerExpectation: ({ models, customers, settings }: OutlookTask) =>
    expectationOf(models, customers, settings)
}

interface OutlookTask {
  models: Models
  customers: readonly Customer[]
  settings: ValueSettings
}

/** Runs one task; the entry of the thread. */
export default function run({ name, input }: { name: keyof typeof tasks; input: never }): unknown {
  return tasks[name](input)
}
