import type { Context } from '../../kernel/context.js'
import { KithError } from '../../kernel/errors.js'
import { leads } from '../../resources/leads/resource.js'
import { inBackground } from '../background.js'
import { cutsOf, type Cuts } from '../counted.js'
import type { Column, Feature } from '../models/features.js'
import { scoresOf, type LeadModel } from '../models/lead-model.js'
import { qualityOf, qualityReasons } from '../models/score-quality.js'
import { filtered, refused, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import {
  outcomeColumns,
  settledSql,
  valuesOfLeads,
  type LearningQuery,
  type SettledRow
} from './leads-sql.js'
import { portions, type Scorer } from './portions.js'
import { rulesSql, ruledSql, type RuledQuery, type Rule, type RuledRow } from './rules-sql.js'
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

/** What a method found, and how it scores leads; undefined where it cannot. */
export interface Scores {
  value: LeadScoreValue
  reasons: Record<string, string>
  scorer: Scorer | undefined
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

/** The part of a score of a model that all leads have in common. */
export const intercept = '(intercept)'

const named = ({ field, level }: Column) => ({ feature: field, ...(level !== undefined && { level }) })

/** The most leads that are learnt from, and values of their features: all of them are held at once. */
const most = { leads: 500_000, values: 5_000_000 }

const mostLeads = (features: number) => Math.min(most.leads, Math.floor(most.values / Math.max(1, features)))

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

type Query = Omit<LearningQuery, 'limit'>

function queryOf(ctx: Context, request: Asked, frame: Frame, features: readonly Feature[]): Query {
  return {
    frame,
    values: valuesOf(ctx, request.place, features, frame),
    filter: filtered(ctx, leads, 'l', request),
    outcome: condition(ctx, request, 'outcome'),
    train: condition(ctx, request, 'train'),
    test: condition(ctx, request, 'test'),
    maturityDays: request.given.maturityDays ?? 90
  }
}

async function settledOf(ctx: Context, query: Query, { place }: Asked): Promise<SettledRow[]> {
  const limit = mostLeads(query.values.dimensions.length)
  const rows = await ctx.db.query<SettledRow>(settledSql(ctx, { ...query, limit: limit + 1 }))
  if (rows.length <= limit) return rows
  const message = `There are more than ${limit} settled leads to learn from: pick some by train and test.`
  throw refused(place, 'train', message, 'too_many', 'unprocessable')
}

/** The settled leads to learn from and to measure with; unless said the latest fifth is kept for measuring. */
function split(
  settled: readonly SettledRow[],
  { given }: Asked
): { train: SettledRow[]; test: SettledRow[] } {
  const first = Math.ceil(settled.length * 0.8)
  const { train: asked, test: measured } = given
  const isTest = (r: SettledRow, i: number) =>
    measured ? r.test === true : asked ? r.train !== true : i >= first
  const isTrain = (r: SettledRow, i: number) => (asked ? r.train === true : !isTest(r, i))
  return { train: settled.filter(isTrain), test: settled.filter(isTest) }
}

const learnt = (rows: readonly SettledRow[]) => ({
  values: rows.map(r => r.values),
  outcomes: rows.map(r => r.outcome)
})

/** How a model scores leads; undefined where there is none. */
function modelScorer(query: Query, features: readonly Feature[], model: LeadModel): Scorer | undefined {
  const { design, fit } = model
  if (!fit) return undefined
  const [common] = fit.coefficients as [number]
  return async (ctx, portion) => {
    const rows = await ctx.db.query<{ id: string; values: SettledRow['values'] }>(
      valuesOfLeads(ctx, query, portion)
    )
    const scores = scoresOf(
      design,
      features,
      fit.coefficients,
      rows.map(r => r.values)
    )
    return scores.map(({ probability, shares }, i) => ({
      leadId: rows[i]!.id,
      score: probability * 100,
      probability,
      shares: [
        { feature: intercept, value: common },
        ...shares.map((value, c) => ({ ...named(design.columns[c]!), value })).filter(s => s.value !== 0)
      ]
    }))
  }
}

/** Scores by a logistic regression on what became of earlier leads. */
export async function logisticScores(ctx: Context, request: Asked, frame: Frame): Promise<Scores> {
  const { features: asked = [], strength = 1, standardise = true } = request.given
  const late = asked.filter(f => isKnownAfterwards(f.field))
  const features = asked.filter(f => !isKnownAfterwards(f.field))
  const query = queryOf(ctx, request, frame, features)
  const { train, test } = split(await settledOf(ctx, query, request), request)
  const task = {
    features,
    train: learnt(train),
    test: learnt(test),
    regularisation: { strength, standardise }
  }
  const model = await inBackground('leadModel', task, ctx.gone?.())
  const { fit, quality, leaks, trainAuc, design } = model
  const used = new Set(design.columns.map(c => c.field))
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
        ...(i === 0 ? { feature: intercept } : named(design.columns[i - 1]!)),
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
    scorer: modelScorer(query, features, model)
  }
}

/** A lead with its points, and what came of it where that is asked for. */
interface RuledLead extends ScoredLead {
  outcome: boolean | undefined
  settled: boolean
}

/** How rules score leads: with the points of those that match. */
export const rulesScorer =
  (query: RuledQuery): Scorer<RuledLead> =>
  async (ctx, portion) => {
    const rows = await ctx.db.query<RuledRow>(ruledSql(ctx, query, portion))
    return rows.map(({ id, points, outcome, closed }) => ({
      leadId: id,
      score: points.reduce((a, b) => a + b, 0),
      probability: null,
      shares: query.rules
        .map((rule, i) => ({ feature: rule.field, ruleId: rule.id, value: points[i]! }))
        .filter(s => s.value !== 0),
      outcome,
      settled: outcome === true || closed === true
    }))
  }

/** Scores by the points of the workspace's rules. */
export async function ruleScores(ctx: Context, request: Asked, frame: Frame): Promise<Scores> {
  const rules = await ctx.db.query<Rule>(rulesSql(ctx, frame))
  const query = { frame, rules, filter: filtered(ctx, leads, 'l', request) }
  const outcome = condition(ctx, request, 'outcome')
  const columns = outcomeColumns(ctx, { frame, outcome, maturityDays: request.given.maturityDays ?? 90 })
  const judged: { scores: number[]; outcomes: number[] } = { scores: [], outcomes: [] }
  let scored = 0
  for await (const portion of portions(ctx, rulesScorer({ ...query, columns }))) {
    scored += portion.length
    for (const lead of portion.filter(l => l.settled)) {
      judged.scores.push(lead.score)
      judged.outcomes.push(Number(lead.outcome))
    }
  }
  const { n, positives, baseRate, auc, liftTop10 } = await inBackground('quality', judged, ctx.gone?.())
  const quality = { ...qualityOf([]), n, positives, baseRate, auc, liftTop10 }
  const reasons: Record<string, string> = {}
  for (const [name, code] of qualityReasons(quality)) reasons[`/value/quality/${name}`] = code
  for (const name of ['converged', 'logLikelihood', 'trainAuc', 'quality/brier', 'quality/logLoss'])
    reasons[`/value/${name}`] = 'points_are_no_probability'
  return {
    value: {
      n: scored,
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
    scorer: rulesScorer(query)
  }
}
