import { designOf, observe, type Design, type Feature } from './features.js'
import { fitLogistic, logOddsAt, probability, type Logistic, type Regularisation } from './logistic.js'
import { auc, qualityOf, type Quality, type Scored } from './score-quality.js'

type Values = readonly (readonly (string | number | boolean | null)[])[]

/** What a score is learnt from and measured with; values in the order of the features. */
export interface LeadTask {
  features: readonly Feature[]
  train: { values: Values; outcomes: readonly boolean[] }
  test: { values: Values; outcomes: readonly boolean[] }
  regularisation: Regularisation
}

/** Above this AUC a single field is suspected to say what came of a lead. */
const leaking = 0.8

/** Below these a model is not made: conversions in all, and for each coefficient. */
const fewest = { conversions: 50, each: 10 }

/** A model of what leads become. */
export interface LeadModel {
  refused: string | undefined
  design: Design
  fit: Logistic | undefined
  trainAuc: number | null
  quality: Quality
  leaks: { field: string; auc: number }[]
}

/** The most numbers that leads are turned into, which are all held at once: 160 MB of them. */
const mostNumbers = 20_000_000

function scored(coefficients: readonly number[], observed: ReturnType<typeof observe>): Scored[] {
  return [...observed.outcomes].map((outcome, row) => ({
    score: probability(logOddsAt(coefficients, observed.cells, row)),
    outcome
  }))
}

function fitOf(design: Design, { features, train, regularisation }: LeadTask) {
  const observed = observe(design, features, train.values, train.outcomes)
  return { observed, fit: fitLogistic(observed, regularisation) }
}

/** How well each field alone tells the outcomes of the test. */
function leaksOf(task: LeadTask): LeadModel['leaks'] {
  const { features, train, test } = task
  // A penalty as weak as can be keeps a field that separates outcomes finite.
  const regularisation = { strength: 1e-3, standardise: true }
  return features.flatMap((feature, i) => {
    const only = (values: Values) => values.map(row => [row[i]!])
    const alone = { ...task, features: [feature], train: { ...train, values: only(train.values) } }
    const design = designOf(alone.features, alone.train.values)
    if (design.columns.length === 0) return []
    const { fit } = fitOf(design, { ...alone, regularisation })
    const found = auc(scored(fit.coefficients, observe(design, [feature], only(test.values), test.outcomes)))
    return found !== null && found > leaking ? [{ field: feature.field, auc: found }] : []
  })
}

/** Why no model is made of the training; undefined where one is. */
function whyRefused({ train, test }: LeadTask, columns: number): string | undefined {
  const conversions = train.outcomes.filter(o => o).length
  if (columns === 0) return 'no_features'
  if (conversions < Math.max(fewest.conversions, fewest.each * (columns + 1))) return 'too_few_conversions'
  if (conversions === train.outcomes.length) return 'one_outcome'
  return (train.values.length + test.values.length) * columns > mostNumbers ? 'too_many_levels' : undefined
}

/** Learns from the training, and measures with the test. */
export function leadModel(task: LeadTask): LeadModel {
  const { features, train, test } = task
  const design = designOf(features, train.values)
  const refused = whyRefused(task, design.columns.length)
  if (refused !== undefined)
    return { refused, design, fit: undefined, trainAuc: null, quality: qualityOf([]), leaks: [] }
  const { observed, fit } = fitOf(design, task)
  const tested = observe(design, features, test.values, test.outcomes)
  return {
    refused: undefined,
    design,
    fit,
    trainAuc: auc(scored(fit.coefficients, observed)),
    quality: qualityOf(scored(fit.coefficients, tested)),
    leaks: leaksOf(task)
  }
}

/** What each column adds to the log-odds of leads with these values, and the probability of a success. */
export function scoresOf(
  design: Design,
  features: readonly Feature[],
  coefficients: readonly number[],
  values: Values
): { probability: number; shares: number[] }[] {
  const { columns } = design
  const { cells } = observe(design, features, values, [])
  return values.map((_, row) => ({
    probability: probability(logOddsAt(coefficients, cells, row)),
    shares: columns.map((_, c) => coefficients[c + 1]! * cells[row * columns.length + c]!)
  }))
}
