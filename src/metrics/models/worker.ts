import {
  attribute,
  type AttributionModel,
  type AttributionSettings,
  type ModelCredits
} from './attribution.js'
import type { Customer, Models, ValueSettings } from './customer-value.js'
import { closeTimes, stageTimes, type CloseSample, type VisitSample } from './durations.js'
import { expectationOf, predictionOf, type Prediction } from './customer-prediction.js'
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

  /** Of several samples. */
  stageTimes: ({ samples, days }: { samples: readonly VisitSample[]; days: readonly number[] }) =>
    samples.map(s => stageTimes(s, days)),

  /** Of several samples. */
  closeTimes: ({ samples, days }: { samples: readonly CloseSample[]; days: readonly number[] }) =>
    samples.map(s => closeTimes(s, days)),

  forecastIntervals: (asked: readonly IntervalTask[]): Interval[] => asked.map(intervalOf),

  /** Of several sets of customers, by their places; what each of them is expected to bring is told of the first set. */
  customerModels: ({ customers, sets, settings }: CustomerTask): Prediction[] =>
    sets.map((places, i) => {
      const prediction = predictionOf(
        places.map(place => customers[place]!),
        settings
      )
      return i === 0 ? prediction : { ...prediction, outlooks: [] }
    }),

  customerExpectation: ({ models, customers, settings }: OutlookTask) =>
    expectationOf(models, customers, settings)
}

interface CustomerTask {
  customers: readonly Customer[]
  sets: readonly (readonly number[])[]
  settings: ValueSettings
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
