import type { Operation } from '../kernel/operation.js'
import type { Snapshots } from '../kernel/context.js'
import { attribution } from './attribution/attribution.js'
import { acquisitionCost } from './cost/acquisition-cost.js'
import { costPerLead } from './cost/cost-per-lead.js'
import { catalogue } from './catalogue.js'
import { funnel } from './funnel.js'
import { leadFunnel } from './lead-funnel.js'
import { lifetimeValue } from './lifetime-value.js'
import { churn } from './churn/churn.js'
import { retention } from './retention/retention.js'
import { Shared } from './shared.js'

const figures = [
  funnel,
  leadFunnel,
  costPerLead,
  acquisitionCost,
  attribution,
  lifetimeValue,
  retention,
  churn
]

/** The calls of all figures, after the catalogue of them. */
export function metricOperations(snapshots: Snapshots): Operation[] {
  const computing = { snapshots, shared: new Shared() }
  return [catalogue(() => figures.map(f => f.entry())), ...figures.flatMap(f => f.operations(computing))]
}
