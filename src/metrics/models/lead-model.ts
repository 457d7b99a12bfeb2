import { designOf, observe, type Column, type Feature } from './features.js'
import { fitLogistic, logOddsAt, probability, type Logistic, type Regularisation } from './logistic.js'
import { auc, qualityOf, type Quality, type Scored } from './score-quality.js'

type Values = readonly (readonly (string | number | boolean | null)[])[]

/** What a score is learnt from, and what it is for; values in the order of the features. */
export interface LeadTask {
  features: readonly Feature[]
  train: { values: Values; outcomes: readonly boolean[] }
  test: { values: Values; outcomes: readonly boolean[] }
  /** Those to be scored. */
  score: Values
  regularisation: Regularisation
}

/** Above this AUC a single field is suspected to say what came of a lead. */
const leaking = 0.8

/** Below these a model is not made: conversions in all, and for each coefficient. */
const fewest = { conversions: 50, each: 10 }

/** A model of what leads become. */
export interface LeadModel {
  refused: string | undefined
  columns: Column[]
  fit: Logistic | undefined
  trainAuc: number | null
  quality: Quality
  leaks: { field: string; auc: number }[]
  /** For each lead to be scored: what each column adds to the log-odds, and the probability. */
  scores: { probability: number; shares: number[] }[]
}

function scored(coefficients: readonly number[], observed: ReturnType<typeof observe>): Scored[] {
  return [...observed.outcomes].map((outcome, row) => ({
    score: probability(logOddsAt(coefficients, observed.cells, row)),
    outcome
  }))
}

function fitOf({ features, train, regularisation }: Pick<LeadTask, 'features' | 'train' | 'regularisation'>) {
  const design = designOf(features, train.values)
  const observed = observe(design, features, train.values, train.outcomes)
  return { design, observed, fit: () => fitLogistic(observed, regularisation) }
}

/** How well each field alone tells the outcomes of the test. */
function leaksOf({ features, train, test }: LeadTask): LeadModel['leaks'] {
  return features.flatMap((feature, i) => {
    const only = (values: Values) => values.map(row => [row[i]!])
    const alone = { features: [feature], train: { ...train, values: only(train.values) } }
    // A penalty as weak as can be keeps a field that separates outcomes finite.
    const { design, fit } = fitOf({ ...alone, regularisation: { strength: 1e-3, standardise: true } })
    if (design.columns.length === 0) return []
    const observed = observe(design, [feature], only(test.values), test.outcomes)
    const found = auc(scored(fit().coefficients, observed))
    return found !== null && found > leaking ? [{ field: feature.field, auc: found }] : []
  })
}

/** Learns from the training, measures with the test, and scores. */
export function leadModel(task: LeadTask): LeadModel {
  const { features, train, test, score } = task
  const { design, observed, fit } = fitOf(task)
  const conversions = train.outcomes.filter(o => o).length
  const failures = train.outcomes.length - conversions
  const least = Math.max(fewest.conversions, fewest.each * (design.columns.length + 1))
  const none = {
    columns: design.columns,
    fit: undefined,
    trainAuc: null,
    quality: qualityOf([]),
    leaks: [],
    scores: []
  }
  if (design.columns.length === 0) return { ...none, refused: 'no_features' }
  if (conversions < least) return { ...none, refused: 'too_few_conversions' }
  if (failures === 0) return { ...none, refused: 'one_outcome' }
  const found = fit()
  const { coefficients } = found
  const tested = observe(design, features, test.values, test.outcomes)
  const wanted = observe(design, features, score, [])
  return {
    refused: undefined,
    columns: design.columns,
    fit: found,
    trainAuc: auc(scored(coefficients, observed)),
    quality: qualityOf(scored(coefficients, tested)),
    leaks: leaksOf(task),
    scores: score.map((_, row) => ({
      probability: probability(logOddsAt(coefficients, wanted.cells, row)),
      shares: design.columns.map(
        (_, c) => coefficients[c + 1]! * wanted.cells[row * design.columns.length + c]!
      )
    }))
  }
}
