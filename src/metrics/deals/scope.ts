import type { Sql } from 'sql-template-tag'
import { authorize } from '../../kernel/authorize.js'
import type { Context } from '../../kernel/context.js'
import { deals } from '../../resources/deals/resource.js'
import { filteredDeals } from '../deal-filter.js'
import { cutsOf, type CutRequest, type Cuts } from '../counted.js'
import type { Durations } from '../durations.js'
import { GroupAtParameter, GroupByParameter } from '../groups.js'
import { commonParameters, FilterParameter, PipelineParameter, type Request } from '../parameters.js'
import type { Frame } from '../period.js'
import { pipelineOf, type PipelineThen } from '../pipeline.js'

/** The parameters that every figure of deals takes. */
export const dealParameters = {
  ...commonParameters,
  pipelineId: PipelineParameter(),
  filter: FilterParameter(deals),
  groupBy: GroupByParameter(deals),
  groupAt: GroupAtParameter()
}

interface DealRequest extends CutRequest {
  pipelineId?: string
  currency?: string
  durations?: Durations
  filter?: Record<string, unknown>
}

/** The deals that a figure is about, and how it tells them. */
export interface DealScope {
  ctx: Context
  frame: Frame
  cuts: Cuts
  pipeline: PipelineThen
  currency: string
  durations: Durations
  /** A condition on the deals `d`. */
  filter: Sql
  /** Whether nothing picks them: it is about all deals of the workspace. */
  all: boolean
  /** The parameters that were settled here. */
  settled: { pipelineId: string | null; currency: string }
}

// Where a workspace has no pipeline: all of it is counted, and is nothing.
const nowhere: PipelineThen = {
  id: '00000000-0000-0000-0000-000000000000',
  stages: [],
  own: 0,
  changes: [],
  standings: []
}

/** Settles what a figure of deals is about; 403, 400 and 422 as the parameters have it. */
export async function dealScope(
  ctx: Context,
  request: Request<DealRequest>,
  frame: Frame
): Promise<DealScope> {
  authorize(ctx, deals.permissions.read)
  const filter = filteredDeals(ctx, request, frame)
  const all = ctx.owners === null && Object.keys(request.given.filter ?? {}).length === 0
  const cuts = cutsOf(ctx, deals, 'd', request, frame)
  const found = await pipelineOf(ctx, request, frame)
  const { currency = frame.baseCurrency, durations = 'elapsed' } = request.given
  const settled = { pipelineId: found?.id ?? null, currency }
  return { ctx, frame, cuts, pipeline: found ?? nowhere, currency, durations, filter, all, settled }
}
