import type { MetricStage, PipelineThen } from '../pipeline.js'

/** A stage of a pipeline with its index there. */
export interface IndexedStage {
  index: number
  position: number
  stage: MetricStage
}

const metricStage = ({ id, name, kind }: PipelineThen['stages'][number]): MetricStage => ({
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

/** The stages of a kind that are live or among those `used`, in their order. */
export function stagesShown(
  pipeline: PipelineThen,
  kind: MetricStage['kind'],
  used: ReadonlySet<number>
): IndexedStage[] {
  return indexesOf(pipeline, kind)
    .map(index => ({ index, of: pipeline.stages[index]! }))
    .filter(({ index, of }) => of.live || used.has(index))
    .map(({ index, of }) => ({ index, position: of.position, stage: metricStage(of) }))
}
