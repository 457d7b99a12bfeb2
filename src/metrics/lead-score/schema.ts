import {
  Bool,
  Closed,
  Enum,
  Id,
  Integer,
  Nullable,
  Number as AnyNumber,
  Share,
  Text,
  Type,
  type Field,
  type Static
} from '../../kernel/schema.js'
import { described } from '../parameters.js'
import { Count } from '../rate.js'
import type { Feature } from '../models/features.js'

const level = Type.Optional(
  described(Nullable(Text(500)), 'Of a category; null: leads without a value. Absent: the number itself.')
)

const Coefficient = Closed(
  {
    feature: described(Text(200), 'The field; `(intercept)` for what all leads have in common.'),
    level,
    value: described(AnyNumber(), 'What it adds to the log-odds, for each unit of a number.'),
    stdError: described(Nullable(AnyNumber()), 'Its standard error; null where the data do not bound it.')
  },
  { 'x-type': 'LeadScoreCoefficient', description: 'A coefficient of the logistic regression.' }
)

const Tenth = Closed(
  {
    bin: Count('1 to 10, the lowest scores first.'),
    n: Count('Leads.'),
    mean: described(Share(), 'Their mean probability.'),
    rate: described(Share(), 'The share of them that were a success.')
  },
  {
    'x-type': 'LeadScoreTenth',
    description: 'A tenth of the leads by probability; equal ones are never torn apart.'
  }
)

const QualityReport = Closed(
  {
    n: Count('Leads of the test.'),
    positives: Count('Successes among them.'),
    baseRate: described(Nullable(Share()), 'Their share.'),
    auc: described(
      Nullable(Share()),
      'How often a success scores higher than a failure, ties half; null with one outcome.'
    ),
    brier: described(
      Nullable(AnyNumber()),
      'The mean squared distance of probability and outcome; null for points.'
    ),
    logLoss: described(Nullable(AnyNumber()), 'The mean negative log-likelihood; null for points.'),
    liftTop10: described(
      Nullable(AnyNumber()),
      'The rate in the tenth with the highest scores, over the base rate.'
    ),
    calibration: Type.Array(Tenth, { description: 'Whether probabilities are what they say.' })
  },
  { 'x-type': 'LeadScoreQuality', description: 'How well scores told what became of leads not learnt from.' }
)

const Leak = Closed(
  {
    field: described(Text(200), 'The field.'),
    auc: described(Share(), 'How well it alone tells the outcome.')
  },
  { 'x-type': 'LeadScoreLeak', description: 'A field that may only be known afterwards: have a look at it.' }
)

const Refused = Closed(
  { field: described(Text(200), 'The field.'), reason: described(Text(100), 'Why it was not used.') },
  { 'x-type': 'LeadScoreRefused', description: 'A field that was not used.' }
)

/** What a lead score is learnt from and how good it is. */
export const leadScoreValue = Closed(
  {
    n: Count('Leads that were learnt from; with `rules` those that were scored.'),
    positives: Count('Successes among them.'),
    converged: described(
      Nullable(Bool()),
      'Whether the search for the coefficients ended; null with `rules`.'
    ),
    logLikelihood: described(Nullable(AnyNumber()), 'The logarithm of the likelihood, without the penalty.'),
    coefficients: Type.Array(Coefficient, { description: 'The model, the intercept first.' }),
    trainAuc: described(Nullable(Share()), 'The AUC of the leads learnt from.'),
    quality: QualityReport,
    leaks: Type.Array(Leak, { description: 'Fields with an AUC above 0.80.' }),
    refused: Type.Array(Refused, { description: 'Fields that were not used.' })
  },
  {
    'x-type': 'LeadScore',
    description: 'How leads are scored, and how well that tells what becomes of them.'
  }
)

export type LeadScoreValue = Static<typeof leadScoreValue>

const ScoreShare = Closed(
  {
    feature: described(Text(200), 'The field, or that of the rule.'),
    level,
    ruleId: Type.Optional(described(Id(), 'The rule.')),
    value: described(AnyNumber(), 'What it adds: to the log-odds, or with `rules` to the score.')
  },
  { 'x-type': 'LeadScoreShare', description: 'What a part adds to a score.' }
)

/** A lead with its score. */
export const ScoredLead = Closed(
  {
    leadId: described(Id(), 'The lead.'),
    score: described(AnyNumber(), 'The probability times 100, or the points.'),
    probability: described(Nullable(Share()), 'Of a success; null with `rules`.'),
    shares: Type.Array(ScoreShare, { description: 'What it consists of; shares of 0 are left out.' })
  },
  { 'x-type': 'ScoredLead', description: 'A lead with its score.' }
)

export type ScoredLead = Static<typeof ScoredLead>

/** The fields that a model looks at. */
export const FeaturesParameter = () =>
  described(
    Type.Unsafe<Feature[]>({
      type: 'array',
      'x-kind': 'json',
      maxItems: 100,
      items: Closed({
        field: Text(200),
        kind: Enum('LeadFeatureKind', ['number', 'category']),
        reference: Type.Optional(Nullable(Text(500)))
      })
    }) as Field<Feature[]>,
    'With `method=logistic`: the fields that it looks at, as leads are grouped by. Levels of a category are compared with its `reference`, else with the most frequent one; no value is a level of its own.'
  )

/** Scores and outcomes that quality can be measured from instead of records. */
export const leadScoreData = Closed(
  {
    scores: Type.Array(Share(), { maxItems: 100000, description: 'Probabilities.' }),
    outcomes: Type.Array(Integer(0, 1), {
      maxItems: 100000,
      description: '1 for a success, 0 for a failure, in the order of the scores.'
    })
  },
  { 'x-type': 'LeadScoreData', description: 'Scores and what came of them.' }
)
