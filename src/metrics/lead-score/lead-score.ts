import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { Bool, Enum, Integer, Number as AnyNumber, Text, Type, type Static } from '../../kernel/schema.js'
import { deals } from '../../resources/deals/resource.js'
import { leads } from '../../resources/leads/resource.js'
import { scoringRules } from '../../resources/scoring-rules/resource.js'
import type { Drawn } from '../charts/of-figure.js'
import { figure, type Answered } from '../figure.js'
import { customersAnswer, cursorOf, placeOf } from '../lifetime-value-page.js'
import { decimalOf } from '../models/exact.js'
import { qualityOf, qualityReasons } from '../models/score-quality.js'
import {
  commonParameters,
  described,
  FilterParameter,
  refused,
  type Given,
  type Request
} from '../parameters.js'
import type { Frame } from '../period.js'
import {
  FeaturesParameter,
  leadScoreData,
  leadScoreValue,
  ScoredLead,
  type LeadScoreValue
} from './schema.js'
import { portions, type Scorer } from './portions.js'
import { logisticScores, ruleScores } from './score.js'

const condition = (description: string) => described(FilterParameter(leads), description)

/** The parameters of lead scores. */
export const parameters = {
  ...commonParameters,
  method: described(
    Enum('LeadScoreMethod', ['logistic', 'rules']),
    'A logistic regression on what became of earlier leads, or the points of scoring rules.',
    'logistic'
  ),
  features: FeaturesParameter(),
  outcome: condition('Which leads were a success: a filter of leads. Absent: those with a won deal.'),
  train: condition('Which settled leads are learnt from. Absent: those that are not in the test.'),
  test: condition(
    'Which settled leads it is measured with. Absent: the latest fifth, or those not in `train`.'
  ),
  strength: described(
    { ...AnyNumber(), minimum: 0, maximum: 1000000 },
    'The weight of the penalty on squared coefficients; 0: maximum likelihood.',
    1
  ),
  standardise: described(
    Bool(),
    'Whether the penalty sees columns in units of their standard deviation.',
    true
  ),
  maturityDays: described(
    Integer(0, 3660),
    'Days after which a lead that was no success counts as none; one that was given up does at once.',
    90
  ),
  filter: FilterParameter(leads),
  scores: described(Bool(), 'Adds the leads with their scores, the highest first.', false),
  limit: described(Integer(1, 200), 'How many leads, with `scores`. Absent: 50.'),
  after: described(
    Text(1000),
    'A cursor of the page before, with `scores`; give its `asOf` and `knownAt` too.'
  )
}

type Asked = Request<Given<typeof parameters>>

const definition = [
  'How promising leads are. `logistic` learns from leads that are settled: a success, given up, or older than',
  '`maturityDays`. It looks at fields known when a lead is scored; those that are filled in while a lead is worked on are',
  'refused, and every field that alone tells the outcome with an AUC above 0.80 is reported. No value is a level of its',
  'own; a level that is new counts as the reference. Fewer than 50 successes, or 10 for each coefficient, make no model.',
  'Quality is measured with leads that were not learnt from. `rules` adds the points of the scoring rules that match;',
  'points of the group activity are given by each matching record and fade with its age. BANT that is unknown matches',
  'what a rule says of `unknown` and nothing else. The shares of a score add up to it. At most 500,000 settled leads are',
  'learnt from, and 5,000,000 values of their features; `train` and `test` pick them. What is written to leads has at most',
  'four decimals. Once a day scores by rules are written to all leads that no model was the last to score.'
].join(' ')

const formula = [
  'logistic: ln(p / (1 - p)) = intercept + sum of coefficient * value; maximises the log-likelihood less',
  'strength / 2 * sum of squared coefficients; score = 100 p. rules: score = sum of points, for activities of',
  'points * 2^(-age / halfLifeDays).'
].join(' ')

interface Place {
  key: string
  id: string
}

const keyOf = ({ score }: ScoredLead) => decimalOf(score)

const inOrder = (a: ScoredLead, b: ScoredLead) =>
  Number(keyOf(b)) - Number(keyOf(a)) || (a.leadId < b.leadId ? 1 : -1)

const follows = (lead: ScoredLead, { key, id }: Place) => {
  const further = Number(keyOf(lead)) - Number(key)
  return further < 0 || (further === 0 && lead.leadId < id)
}

interface Page {
  scores: ScoredLead[]
  page: { hasMore: boolean; nextCursor: string | null }
}

/** A page of the leads with the highest scores; of all others no more than a portion is held. */
async function pageOf(
  ctx: Context,
  scorer: Scorer | undefined,
  size: number,
  after: Place | undefined
): Promise<Page> {
  let best: ScoredLead[] = []
  if (scorer) {
    for await (const portion of portions(ctx, scorer)) {
      const rest = after ? portion.filter(lead => follows(lead, after)) : portion
      best = [...best, ...rest].sort(inOrder).slice(0, size + 1)
    }
  }
  // Without what only its quality is measured by.
  const scores = best
    .slice(0, size)
    .map(({ leadId, score, probability, shares }) => ({ leadId, score, probability, shares }))
  const hasMore = best.length > size
  const last = scores.at(-1)
  const nextCursor = hasMore ? cursorOf({ key: keyOf(last!), customerId: last!.leadId }) : null
  return { scores, page: { hasMore, nextCursor } }
}

const idleWithRules = ['features', 'train', 'test', 'strength', 'standardise'] as const

function refuseIdle({ given, place }: Asked): void {
  const idle = given.method === 'rules' ? idleWithRules.find(n => given[n] !== undefined) : undefined
  if (idle !== undefined) throw refused(place, idle, `${idle} does not go with method=rules.`, 'not_allowed')
  const paged = given.scores ? undefined : (['limit', 'after'] as const).find(n => given[n] !== undefined)
  if (paged !== undefined) throw refused(place, paged, `${paged} goes with scores=true.`, 'not_allowed')
}

// Points are no probabilities, so that rules have no tenths of them; nor has a model that could not be measured.
function chartOf({ quality, trainAuc }: LeadScoreValue): Drawn {
  const { calibration, baseRate, auc } = quality
  if (calibration.length === 0)
    return {
      kind: 'bars',
      unit: 'share',
      names: ['Successes', 'AUC', 'AUC in training'],
      series: [{ name: 'share', values: [baseRate, auc, trainAuc] }]
    }
  return {
    kind: 'bars',
    unit: 'share',
    names: calibration.map(({ bin }) => `Tenth ${bin}`),
    series: [
      { name: 'expected', values: calibration.map(({ mean }) => mean) },
      { name: 'successes', values: calibration.map(({ rate }) => rate) }
    ]
  }
}

const scorers = new WeakMap<LeadScoreValue, Scorer>()

/** How the leads were scored that an answer is about; undefined where they could not be. */
export const scorerOf = (value: LeadScoreValue): Scorer | undefined => scorers.get(value)

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<LeadScoreValue>> {
  refuseIdle(request)
  const { given, place } = request
  const { method = 'logistic', scores: withScores = false, limit = 50, after } = given
  const needed = method === 'rules' ? [leads, deals, scoringRules] : [leads, deals]
  for (const resource of needed) authorize(ctx, resource.permissions.read)
  const from = after === undefined ? undefined : placeOf(place, after)
  const find = method === 'rules' ? ruleScores : logisticScores
  const { value, reasons, scorer } = await find(ctx, request, frame)
  if (scorer) scorers.set(value, scorer)
  return {
    value,
    parameters: {},
    reasons,
    counts: { leads: value.n },
    excluded: {},
    more: { ...(withScores && (await pageOf(ctx, scorer, limit, from))) },
    warnings: value.leaks.map(({ field, auc }) => ({
      code: 'leak',
      message: `${field} alone tells outcomes with an AUC of ${auc.toFixed(2)}: is it known before them?`
    }))
  }
}

function fromData(
  { scores, outcomes }: Static<typeof leadScoreData>,
  { place }: Asked
): Answered<LeadScoreValue> {
  if (scores.length !== outcomes.length)
    throw refused(place, 'data', 'There are not as many outcomes as scores.', 'data_form')
  const quality = qualityOf(scores.map((score, i) => ({ score, outcome: outcomes[i]! })))
  return {
    value: {
      n: 0,
      positives: 0,
      converged: null,
      logLikelihood: null,
      coefficients: [],
      trainAuc: null,
      quality,
      leaks: [],
      refused: []
    },
    parameters: {},
    counts: { leads: quality.n },
    excluded: {},
    reasons: Object.fromEntries([
      ...['converged', 'logLikelihood', 'trainAuc'].map(name => [`/value/${name}`, 'only_scores_given']),
      ...qualityReasons(quality).map(([name, code]) => [`/value/quality/${name}`, code])
    ]) as Record<string, string>
  }
}

/** How promising leads are; its REST call may write the scores, and is declared with the other writes. */
export const leadScores = figure({
  name: 'lead-score',
  version: 1,
  summary: 'How promising leads are, by what became of earlier ones or by rules',
  definition,
  formula,
  unit: 'scores from 0 to 100, or points; probabilities are fractions from 0 to 1',
  source: 'Hanley, McNeil 1982 (AUC); Brier 1950; Moro, Cortez, Rita 2014 (a field known only afterwards).',
  parameters,
  value: leadScoreValue,
  more: {
    scores: Type.Optional(Type.Array(ScoredLead, { description: 'With `scores`: the highest first.' })),
    page: customersAnswer.page
  },
  picture: { whole: chartOf, compared: { name: 'AUC', unit: 'share', of: v => v.quality.auc } },
  data: { schema: leadScoreData, takes: [], answer: fromData },
  rest: false,
  answer
})
