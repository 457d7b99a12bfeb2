import type { Context } from '../../kernel/context.js'
import { KithError } from '../../kernel/errors.js'
import { leads } from '../../resources/leads/resource.js'
import { inBackground } from '../background.js'
import { cutsOf, type Cuts } from '../counted.js'
import type { Column, Feature } from '../models/features.js'
import type { LeadModel } from '../models/lead-model.js'
import { auc, qualityOf, qualityReasons } from '../models/score-quality.js'
import { filtered, refused, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { leadsSql, type LeadRow } from './leads-sql.js'
import { rulesSql, ruledSql, type Rule, type RuledRow } from './rules-sql.js'
import type { LeadScoreValue, ScoredLead } from './schema.js'

/** The parameters of lead scores. */
export interface ScoreRequest {
  features?: Feature[]
  filter?: Record<string, unknown>
  outcome?: Record<string, unknown>
  train?: Record<string, unknown>
  test?: Record<string, unknown>
  strength?: number
  standardise?: boolean
  maturityDays?: number
}

/** What a method found, with the scores of all leads. */
export interface Scores {
  value: LeadScoreValue
  reasons: Record<string, string>
  scores: ScoredLead[]
}

type Asked = Request<ScoreRequest>

/** Fields that are filled in while a lead is worked on: they tell what became of it. */
const knownAfterwards = new Set([
  'status',
  'workingAt',
  'nurturingAt',
  'qualifiedAt',
  'unqualifiedAt',
  'convertedAt',
  'unqualifiedReason',
  'dealId',
  'contactId',
  'companyId',
  'score'
])

const isKnownAfterwards = (field: string) => knownAfterwards.has(field) || field.startsWith('deal.')

const intercept = '(intercept)'

const named = ({ field, level }: Column) => ({ feature: field, ...(level !== undefined && { level }) })

const mostRows = 500_000

/** A condition that a parameter names, on the leads `l`. */
const condition = (ctx: Context, request: Asked, name: 'outcome' | 'train' | 'test') => {
  const given = request.given[name]
  return given && filtered(ctx, leads, 'l', { ...request, given: { filter: given } })
}

/** The values of features, as groups would be; a 400 names a field that there is not. */
function valuesOf(ctx: Context, place: Asked['place'], features: readonly Feature[], frame: Frame): Cuts {
  try {
    return cutsOf(ctx, leads, 'l', { place, given: { groupBy: features.map(f => f.field) } }, frame)
  } catch (error) {
    if (!(error instanceof KithError) || error.errors === undefined) throw error
    throw refused(place, 'features', error.message, 'unknown_field')
  }
}

async function rowsOf(
  ctx: Context,
  request: Asked,
  frame: Frame,
  features: readonly Feature[]
): Promise<LeadRow[]> {
  const { given, place } = request
  const query = {
    frame,
    values: valuesOf(ctx, place, features, frame),
    filter: filtered(ctx, leads, 'l', request),
    outcome: condition(ctx, request, 'outcome'),
    train: condition(ctx, request, 'train'),
    test: condition(ctx, request, 'test'),
    maturityDays: given.maturityDays ?? 90
  }
  const rows = await ctx.db.query<LeadRow>(leadsSql(ctx, query))
  if (rows.length <= mostRows) return rows
  throw refused(
    place,
    'filter',
    `There are more than ${mostRows} leads: filter them.`,
    'too_many',
    'unprocessable'
  )
}

/** The settled leads to learn from and to measure with; unless said the latest fifth is kept for measuring. */
function split(rows: readonly LeadRow[], { given }: Asked): { train: LeadRow[]; test: LeadRow[] } {
  const settled = rows.filter(r => r.settled)
  const first = Math.ceil(settled.length * 0.8)
  const { train: asked, test: measured } = given
  const isTest = (r: LeadRow, i: number) =>
    measured ? r.test === true : asked ? r.train !== true : i >= first
  const isTrain = (r: LeadRow, i: number) => (asked ? r.train === true : !isTest(r, i))
  return { train: settled.filter(isTrain), test: settled.filter(isTest) }
}

const learnt = (rows: readonly LeadRow[]) => ({
  values: rows.map(r => r.values),
  outcomes: rows.map(r => r.outcome)
})

function scoredLeads(rows: readonly LeadRow[], { scores, columns, fit }: LeadModel): ScoredLead[] {
  return scores.map(({ probability, shares }, i) => ({
    leadId: rows[i]!.id,
    score: probability * 100,
    probability,
    shares: [
      { feature: intercept, value: fit!.coefficients[0]! },
      ...shares.map((value, c) => ({ ...named(columns[c]!), value })).filter(s => s.value !== 0)
    ]
  }))
}

/** Scores by a logistic regression on what became of earlier leads. */
export async function logisticScores(
  ctx: Context,
  request: Asked,
  frame: Frame,
  withScores: boolean
): Promise<Scores> {
  const { features: asked = [], strength = 1, standardise = true } = request.given
  const late = asked.filter(f => isKnownAfterwards(f.field))
  const features = asked.filter(f => !isKnownAfterwards(f.field))
  const rows = await rowsOf(ctx, request, frame, features)
  const { train, test } = split(rows, request)
  const model = await inBackground('leadModel', {
    features,
    train: learnt(train),
    test: learnt(test),
    score: withScores ? rows.map(r => r.values) : [],
    regularisation: { strength, standardise }
  })
  const used = new Set(model.columns.map(c => c.field))
  const { fit, quality, leaks, trainAuc } = model
  const reasons: Record<string, string> = {}
  if (model.refused !== undefined)
    for (const name of ['converged', 'logLikelihood', 'coefficients', 'trainAuc', 'quality'])
      reasons[`/value/${name}`] = model.refused
  else for (const [name, code] of qualityReasons(quality)) reasons[`/value/quality/${name}`] = code
  return {
    value: {
      n: train.length,
      positives: train.filter(r => r.outcome).length,
      converged: fit?.converged ?? null,
      logLikelihood: fit?.logLikelihood ?? null,
      coefficients: (fit?.coefficients ?? []).map((value, i) => ({
        ...(i === 0 ? { feature: intercept } : named(model.columns[i - 1]!)),
        value,
        stdError: fit!.stdErrors[i]!
      })),
      trainAuc,
      quality,
      leaks,
      refused: [
        ...late.map(({ field }) => ({ field, reason: 'known_afterwards' })),
        ...features.filter(f => !used.has(f.field)).map(({ field }) => ({ field, reason: 'never_differs' }))
      ]
    },
    reasons,
    scores: scoredLeads(rows, model)
  }
}

/** Scores by the points of the workspace's rules. */
export async function ruleScores(ctx: Context, request: Asked, frame: Frame): Promise<Scores> {
  const rules = await ctx.db.query<Rule>(rulesSql(ctx, frame))
  const rows = await ctx.db.query<RuledRow>(ruledSql(ctx, frame, rules, filtered(ctx, leads, 'l', request)))
  const scores = rows.map(({ id, points }): ScoredLead => ({
    leadId: id,
    score: points.reduce((a, b) => a + b, 0),
    probability: null,
    shares: rules
      .map((rule, i) => ({ feature: rule.field, ruleId: rule.id, value: points[i]! }))
      .filter(s => s.value !== 0)
  }))
  const outcomes = await rowsOf(ctx, request, frame, [])
  const settled = new Map(outcomes.filter(r => r.settled).map(r => [r.id, Number(r.outcome)]))
  const judged = scores.flatMap(({ leadId, score }) => {
    const outcome = settled.get(leadId)
    return outcome === undefined ? [] : [{ score, outcome }]
  })
  const { n, positives, baseRate, liftTop10 } = qualityOf(judged)
  const quality = { ...qualityOf([]), n, positives, baseRate, auc: auc(judged), liftTop10 }
  const reasons: Record<string, string> = {}
  for (const [name, code] of qualityReasons(quality)) reasons[`/value/quality/${name}`] = code
  for (const name of ['converged', 'logLikelihood', 'trainAuc', 'quality/brier', 'quality/logLoss'])
    reasons[`/value/${name}`] = 'points_are_no_probability'
  return {
    value: {
      n: scores.length,
      positives,
      converged: null,
      logLikelihood: null,
      coefficients: [],
      trainAuc: null,
      quality,
      leaks: [],
      refused: []
    },
    reasons,
    scores
  }
}
