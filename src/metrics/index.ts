import type { Operation } from '../kernel/operation.js'
import type { Snapshots } from '../kernel/context.js'
import { catalogue } from './catalogue.js'
import { forecast } from './deals/forecast.js'
import { stageFlow } from './deals/stage-flow.js'
import { stalledDeals } from './deals/stalled.js'
import { velocity } from './deals/velocity.js'
import { timeInStage } from './deals/time-in-stage.js'
import { timeToClose } from './deals/time-to-close.js'
import { forecastWaterfall } from './deals/waterfall.js'
import { winRate } from './deals/win-rate.js'
import { funnel } from './funnel.js'
import { lifetimeValue } from './lifetime-value.js'
import { Shared } from './shared.js'

const figures = [
  funnel,
  stageFlow,
  timeInStage,
  timeToClose,
  winRate,
  velocity,
  stalledDeals,
  forecast,
  forecastWaterfall,
  lifetimeValue
]

/** The calls of all figures, after the catalogue of them. */
export function metricOperations(snapshots: Snapshots): Operation[] {
  const computing = { snapshots, shared: new Shared() }
  return [catalogue(() => figures.map(f => f.entry())), ...figures.flatMap(f => f.operations(computing))]
}
