import type { Counts, Loading } from './client.js'

/** A pipeline as a data set has it. */
export interface NewPipeline {
  externalId: string
  name: string
  stages: { name: string; kind: 'open' | 'won' | 'lost'; probability?: number }[]
}

export interface LoadedPipeline {
  id: string
  counts: Counts
  /** The id of the stage of that name; throws where there is none. */
  stageId(name: string): string
}

/** Makes a pipeline with its stages, or finds the one that was made before. */
export async function loadPipeline(
  { client }: Loading,
  source: string,
  { externalId, ...body }: NewPipeline
): Promise<LoadedPipeline> {
  const { ids, counts } = await client.upsert('pipelines', source, [{ externalId, body }])
  const id = ids.get(externalId)!
  const { data } = await client.call<{ data: { id: string; name: string }[] }>(
    'GET',
    `/v1/stages?pipelineId=${id}&limit=200`
  )
  const byName = new Map(data.map(stage => [stage.name, stage.id]))
  return {
    id,
    counts,
    stageId(name) {
      const found = byName.get(name)
      if (found === undefined) throw new Error(`The pipeline has no stage ${name}.`)
      return found
    }
  }
}
