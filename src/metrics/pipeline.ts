import sql from 'sql-template-tag'
import { visible } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { Closed, Enum, Id, Nullable, Text, type Static } from '../kernel/schema.js'
import { pipelines, stageKinds, stages } from '../resources/pipelines/resource.js'
import { refused, type Request } from './parameters.js'
import type { Frame } from './period.js'

/** A stage as figures name it; without an id it stands for several won stages, or for none. */
export const MetricStage = () =>
  Closed(
    { stageId: Nullable(Id()), name: Text(200), kind: Enum('StageKind', stageKinds) },
    { 'x-type': 'MetricStage', description: 'A stage, by the name it had at the moment of the figure.' }
  )

export type MetricStage = Static<ReturnType<typeof MetricStage>>

interface StageState {
  name: string
  kind: MetricStage['kind']
  position: number
  archived: boolean
  deletedAt: string | null
}

interface StageRow extends StageState {
  id: string
  createdAt: string
  /** What the fields were before each change, the latest change first. */
  changes: { at: string; before: Partial<StageState> }[]
}

interface PipelineRow {
  [column: string]: unknown
  id: string
  name: string
  createdAt: string
  deletedAt: string | null
  stages: StageRow[]
}

/** A stage at a moment; `live` unless it was archived, deleted or not made yet. */
export interface StageThen extends StageState {
  id: string
  live: boolean
}

/** Where a stage stood in a version of its pipeline, among all stages there ever were. */
export interface Standing {
  version: number
  stage: number
  kind: string
  position: number
  /** Live open stages before it. */
  before: number
  /** The same with itself. */
  through: number
  /** Live open stages after it. */
  after: number
}

/** A pipeline as a figure needs it. Stages are referred to by their index in `stages`. */
export interface PipelineThen {
  id: string
  /** Its stages in their order at the moment of the figure, then those of all other pipelines. */
  stages: StageThen[]
  /** How many of them are its own. */
  own: number
  /** When the versions after the first one began. */
  changes: string[]
  standings: Standing[]
}

// Those in the bin too: deals may have been through them.
async function loadPipelines(ctx: Context): Promise<PipelineRow[]> {
  return ctx.db.query<PipelineRow>(sql`
    select p.id, p.name, p.created_at as "createdAt", p.deleted_at as "deletedAt", coalesce(s.stages, '[]') as stages
    from pipelines p left join lateral (
      select json_agg(json_build_object('id', s.id, 'name', s.name, 'kind', s.kind, 'position', s.position,
        'archived', s.archived, 'deletedAt', s.deleted_at, 'createdAt', s.created_at, 'changes', (
          select coalesce(json_agg(json_build_object('at', c.at, 'before', c.before) order by c.version desc), '[]')
          from record_changes c
          where c.workspace_id = ${ctx.workspaceId} and c.resource = 'stage' and c.record_id = s.id))) as stages
      from stages s where ${visible(ctx, stages, 's')} and s.pipeline_id = p.id
    ) s on true
    where ${visible(ctx, pipelines, 'p')} order by p.position, p.name, p.id`)
}

/** All states of a stage with the time each began, in order. */
function statesOf(stage: StageRow): (StageState & { since: number })[] {
  const { changes, createdAt, ...latest } = stage
  let state: StageState = latest
  const states = changes.map(({ at, before }) => {
    const since = { ...state, since: Date.parse(at) }
    state = { ...state, ...before }
    return since
  })
  return [...states, { ...state, since: Date.parse(createdAt) }].reverse()
}

/** The stages at a moment, in their order. One that is made later has the state it will begin with. */
function stagesAt(stages: readonly StageRow[], moment: number): StageThen[] {
  const then = stages.map(stage => {
    const states = statesOf(stage)
    const state = states.findLast(s => s.since <= moment)
    const live = state !== undefined && !state.archived && state.deletedAt === null
    const { name, kind, position, archived, deletedAt } = state ?? states[0]!
    return { id: stage.id, name, kind, position, archived, deletedAt, live }
  })
  return then.sort((a, b) => a.position - b.position || (a.id < b.id ? -1 : 1))
}

type Place = Omit<Standing, 'version' | 'stage'> & { id: string }

function places(stages: readonly StageThen[]): Place[] {
  const isStep = (s: StageThen) => s.live && s.kind === 'open'
  const steps = stages.filter(isStep).length
  let through = 0
  return stages.map(stage => {
    const before = through
    if (isStep(stage)) through++
    return {
      id: stage.id,
      kind: stage.kind,
      position: stage.position,
      before,
      through,
      after: steps - through
    }
  })
}

/** Every version of the pipeline that differs from the one before in what stands where. */
function versionsOf(stages: readonly StageRow[]): { since: number; places: Place[] }[] {
  const moments = new Set(stages.flatMap(statesOf).map(s => s.since))
  const versions = [...moments]
    .sort((a, b) => a - b)
    .map(since => ({ since, places: places(stagesAt(stages, since)) }))
  return versions.filter((v, i) => JSON.stringify(v.places) !== JSON.stringify(versions[i - 1]?.places))
}

function pipelineThen(pipeline: PipelineRow, others: PipelineRow[], frame: Frame): PipelineThen {
  const asOf = Date.parse(frame.asOf)
  const knownAt = Date.parse(frame.knownAt)
  // Facts from before a pipeline was made here were brought in later: for them it was as it is known to be.
  const then = ({ createdAt, stages }: PipelineRow) =>
    stagesAt(stages, asOf < Date.parse(createdAt) ? knownAt : Math.min(asOf, knownAt))
  const own = then(pipeline)
  const index = new Map(own.map((s, i) => [s.id, i]))
  const versions = versionsOf(pipeline.stages)
  return {
    id: pipeline.id,
    stages: [...own, ...others.flatMap(then)],
    own: own.length,
    changes: versions.slice(1).map(v => new Date(v.since).toISOString()),
    standings: versions.flatMap((v, version) =>
      v.places.map(({ id, ...place }) => ({ version, stage: index.get(id)!, ...place }))
    )
  }
}

/**
 * The pipeline of a request as it was at the moment of the figure: the one named, else the only one. Undefined where
 * the workspace has none; 422 where the name is unknown, or missing while there are several.
 */
export async function pipelineOf(
  ctx: Context,
  { given, place }: Request<{ pipelineId?: string }>,
  frame: Frame
): Promise<PipelineThen | undefined> {
  const all = await loadPipelines(ctx)
  const choices = all.filter(p => p.deletedAt === null)
  const wanted = given.pipelineId?.toLowerCase()
  if (wanted === undefined && choices.length > 1) {
    const names = choices.map(({ id, name }) => ({ id, name }))
    const list = names.map(p => `${p.name} (${p.id})`).join(', ')
    const message = `The workspace has several pipelines, name one by pipelineId: ${list}.`
    throw refused(place, 'pipelineId', message, 'required', 'unprocessable', { pipelines: names })
  }
  const pipeline = wanted === undefined ? choices[0] : choices.find(p => p.id === wanted)
  if (pipeline)
    return pipelineThen(
      pipeline,
      all.filter(p => p !== pipeline),
      frame
    )
  if (wanted === undefined) return undefined
  throw refused(place, 'pipelineId', 'There is no such pipeline.', 'unknown_reference', 'unknown_reference')
}
