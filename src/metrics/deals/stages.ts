import type { MetricStage, PipelineThen } from '../pipeline.js'

/** A stage of a pipeline with its index there. */
export interface IndexedStage {
  index: number
  position: number
  stage: MetricStage
}

/** A stage as figures name it. */
export const metricStage = ({ id, name, kind }: PipelineThen['stages'][number]): MetricStage => ({
  stageId: id,
  name,
  kind
})

const indexesOf = ({ stages, own }: PipelineThen, kind: MetricStage['kind']) =>
  stages.slice(0, own).flatMap((stage, i) => (stage.kind === kind ? [i] : []))

/** The stages of a pipeline by kind, as indexes. */
export const kindsOf = (pipeline: PipelineThen) => ({
  open: indexesOf(pipeline, 'open'),
  won: indexesOf(pipeline, 'won'),
  lost: indexesOf(pipeline, 'lost')
})

function shown(pipeline: PipelineThen, kind: MetricStage['kind'], used: ReadonlySet<number>): IndexedStage[] {
  return indexesOf(pipeline, kind)
    .map(index => ({ index, of: pipeline.stages[index]! }))
    .filter(({ index, of }) => of.live || used.has(index))
    .map(({ index, of }) => ({ index, position: of.position, stage: metricStage(of) }))
}

/** The one step for all that is won: the stage, where there is only one. */
export const wonStep = (won: readonly MetricStage[]): MetricStage =>
  won.length === 1 ? won[0]! : { stageId: null, name: 'Won', kind: 'won' }

/** The open stages that are live or among those used, in their order. */
export const openShown = (pipeline: PipelineThen, used: ReadonlySet<number>) => shown(pipeline, 'open', used)

/** The same, then one for all that is won, with the index of the first won stage. */
export function stepsShown(pipeline: PipelineThen, used: ReadonlySet<number>): IndexedStage[] {
  const won = shown(pipeline, 'won', used)
  const [index] = kindsOf(pipeline).won
  if (index === undefined) return openShown(pipeline, used)
  return [
    ...openShown(pipeline, used),
    { index, position: pipeline.stages[index]!.position, stage: wonStep(won.map(s => s.stage)) }
  ]
}
