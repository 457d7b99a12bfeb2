import type { Operation } from '../kernel/operation.js'
import type { Snapshots } from '../kernel/context.js'
import { attribution } from './attribution/attribution.js'
import { catalogue } from './catalogue.js'
import { churn } from './churn/churn.js'
import { acquisitionCost } from './cost/acquisition-cost.js'
import { costPerLead } from './cost/cost-per-lead.js'
import { forecast } from './deals/forecast.js'
import { forecastWaterfall } from './deals/waterfall.js'
import { stageFlow } from './deals/stage-flow.js'
import { stalledDeals } from './deals/stalled.js'
import { timeInStage } from './deals/time-in-stage.js'
import { timeToClose } from './deals/time-to-close.js'
import { velocity } from './deals/velocity.js'
import { winRate } from './deals/win-rate.js'
import type { Figure } from './figure.js'
import { funnel } from './funnel.js'
import { leadFunnel } from './lead-funnel.js'
import { leadScore } from './lead-score/write.js'
import { lifetimeValue } from './lifetime-value.js'
import { report } from './report.js'
import { retention } from './retention/retention.js'
import { Shared } from './shared.js'

const figures: Figure[] = [
  funnel,
  stageFlow,
  timeInStage,
  timeToClose,
  winRate,
  velocity,
  stalledDeals,
  forecast,
  forecastWaterfall,
  leadFunnel,
  costPerLead,
  acquisitionCost,
  attribution,
  lifetimeValue,
  retention,
  churn,
  leadScore
]

/** The calls of all figures, after the catalogue of them. */
export function metricOperations(snapshots: Snapshots): Operation[] {
  const computing = { snapshots, shared: new Shared() }
  return [
    catalogue(() => figures.map(f => f.entry())),
    report(figures, computing),
    ...figures.flatMap(f => f.operations(computing))
  ]
}
