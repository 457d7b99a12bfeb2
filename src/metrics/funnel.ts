import type { Context } from '../kernel/context.js'
import { Bool, Enum } from '../kernel/schema.js'
import sql from 'sql-template-tag'
import { deals } from '../resources/deals/resource.js'
import { IntervalParameter } from './buckets.js'
import { counted } from './counted.js'
import { CurrencyParameter } from './currency.js'
import { amountWarnings } from './deals/facts.js'
import { dealParameters, dealScope } from './deals/scope.js'
import { figure, type Answered } from './figure.js'
import { funnelOf, shownStages, type Extras } from './funnel-assemble.js'
import { dealsOf, pathReader, wayReader, type PathRow, type PathSense } from './funnel-count.js'
import { funnelFacts, told, type FunnelQuery } from './funnel-sql.js'
import { funnelValue, type FunnelValue } from './funnel-value.js'
import { DaysList, described, DurationsParameter, refused, type Given, type Request } from './parameters.js'
import type { Frame } from './period.js'

const parameters = {
  ...dealParameters,
  cohort: described(
    Enum('FunnelCohort', ['created', 'closed']),
    'Which deals: opened in the period, or closed in it (by their last close).',
    'created'
  ),
  order: described(
    Enum('FunnelOrder', ['reached', 'ordered', 'any', 'strict']),
    'How far deals came whatever their way; or also the steps in their order, in any order, or directly after each other.',
    'reached'
  ),
  windowDays: described(
    DaysList(),
    'With another `order` than reached: how many days after the start a step may be. Absent: any time.'
  ),
  reentry: described(Bool(), 'With such an `order`: whether the clock may start again.', false),
  hold: described(
    Enum('FunnelHold', [
      'companyId',
      'primaryContactId',
      'campaignId',
      'productId',
      ...(['amount', 'currency', 'probability', 'expectedCloseDate', 'ownerId'] as const)
    ]),
    'With such an `order`: the field that must have the same value in all steps. Absent: none.'
  ),
  maturedDays: described(DaysList(), 'Adds the conversion of deals that are at least that many days old.'),
  durations: DurationsParameter(),
  currency: CurrencyParameter(),
  interval: IntervalParameter('deals by the day they were opened or, with `cohort=closed`, closed')
}

type Asked = Request<Given<typeof parameters>>

const definition = [
  'How far deals come in a pipeline.',
  'A deal has reached every open stage up to the furthest one that it ever entered; a deal that is won has reached all.',
  'It has entered only the stages that it was really in: a skipped stage is reached, not entered, and no conversion',
  'exceeds 1. Its outcome is that of its last stage as of `asOf`.',
  'Positions are those that stages had when a deal entered them; whether a move skips stages is decided by the stages',
  'that were live then. A stage archived since is listed where deals of the cohort were in it.',
  'Several won stages are one step.',
  'A deal handed over to another pipeline is no deal of this one any more: neither won nor lost nor open, in no count of',
  'deals or stages, but in `excluded.handedOver`; its moves and transitions here, the handing over included, are still',
  'counted. In the other pipeline it begins as new, in the stage that it was handed to.',
  'With another `order` than reached, `ordered` has the deals that went through the live open stages and won in that',
  'order: the clock starts when a deal first enters the first step, and a step counts when it comes after the one before',
  'it and within the window, its end included. `strict` lets nothing lie between; `any` takes the steps in any order from',
  'the first of them on; with `reentry` the clock may start again, and the best start counts; with `hold` a step counts',
  'only while the field has the value that it had at the start.',
  'Won value is that of the amounts as of `asOf`, converted by the latest rate dated on or before the local day of the',
  "win in the workspace's own zone; a won deal without an amount or a rate is counted, and is in `excluded`.",
  'Deals in the bin, and deals without a stage as of `asOf`, are in no figure.'
].join(' ')

const formula = [
  'reached(k) = deals with m >= position(k), m = the highest position entered, without limit for a won deal;',
  'conversionFromPrevious(k) = reached(k) / reached(k - 1); conversionFromFirst(k) = reached(k) / deals;',
  'lostFrom(k) = lost deals whose last open stage was k; conversion = won / deals; winRate = won / (won + lost).',
  'Moves between consecutive stages: to the next live open stage = forward, past one = skip, also a win before the',
  'last; to an earlier one = backward; from won or lost to open = reopen; to another pipeline = handedOver.',
  'matured(D) = deals won within D days of their first stage / deals that entered their first stage D days ago or earlier.'
].join(' ')

const ascending = (list: readonly number[] = []) => [...list].sort((a, b) => a - b)

function stepsAsked({ given, place }: Asked): FunnelQuery['steps'] {
  const { order = 'reached', windowDays, reentry = false, hold } = given
  if (order !== 'reached') return { order, reentry, hold, windows: ascending(windowDays) }
  const idle = (['windowDays', 'reentry', 'hold'] as const).find(name => given[name] !== undefined)
  if (idle === undefined) return undefined
  throw refused(place, idle, `${idle} goes with order=ordered, any or strict.`, 'not_allowed')
}

function besides(paths: readonly PathSense[]) {
  const won = paths.filter(p => p.state === 'won')
  const sum = (of: (row: PathRow) => number) => won.reduce((n, p) => n + of(p.row), 0)
  const excluded = {
    handedOver: dealsOf(paths.filter(p => p.state === undefined)),
    missingAmount: sum(r => r.all - r.withAmount),
    noFxRate: sum(r => r.withAmount - r.valued)
  }
  return { counts: { deals: dealsOf(paths) }, excluded, warnings: amountWarnings(excluded) }
}

async function answer(ctx: Context, request: Asked, frame: Frame): Promise<Answered<FunnelValue>> {
  const steps = stepsAsked(request)
  const scope = await dealScope(ctx, request, frame)
  const { cuts, pipeline, currency, settled } = scope
  const { given } = request
  const matured = ascending(given.maturedDays)
  const read = pathReader(pipeline)
  const extras: Extras = {
    order: steps?.order,
    windows: steps?.windows ?? [],
    steps: wayReader(pipeline, steps?.order ?? 'ordered', steps?.reentry ?? false),
    matured
  }
  const query = { ...scope, cohort: given.cohort ?? 'created', steps, matured }
  let shown: ReadonlySet<number> | undefined
  const { rows, value, reasons, more } = await counted<PathRow, FunnelValue>(ctx, request, frame, cuts, {
    ctes: funnelFacts(query),
    by: told,
    counts: sql`count(f.amount)::int as "withAmount", sum(f.won_value)::text as value`,
    members: { valued: sql`f.won_value is not null` },
    value(rows, notes) {
      const paths = rows.map(read)
      // The total comes first: its stages are those of all parts.
      shown ??= shownStages(pipeline, paths)
      return funnelOf(pipeline, shown, paths, extras, notes)
    }
  })
  return {
    parameters: settled,
    value,
    reasons,
    ...besides(rows.map(read)),
    more: { currency, ...more }
  }
}

/** The pipeline funnel. */
export const funnel = figure({
  name: 'funnel',
  version: 1,
  summary: 'How far deals come in a pipeline',
  definition,
  formula,
  unit: 'deals; rates are fractions from 0 to 1; money in the currency of the answer',
  source: 'The Close reporting API (created cohorts), and the step funnels of Mixpanel and Amplitude.',
  subject: deals,
  parameters,
  value: funnelValue,
  ages: given => given.maturedDays !== undefined,
  picture: {
    whole: ({ stages }) => ({
      kind: 'funnel',
      steps: stages.map(({ stage, reached, conversionFromFirst }) => ({
        name: stage.name,
        value: reached,
        share: conversionFromFirst.value
      }))
    }),
    compared: { name: 'won of all', unit: 'share', of: v => v.conversion.value }
  },
  answer
})
