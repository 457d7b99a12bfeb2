import { many, one, resource } from '../../kernel/resource.js'
import { Bool, Closed, Enum, Id, Integer, Nullable, Share, Text, Type } from '../../kernel/schema.js'
import { pipelines as pipelineTable, stages as stageTable } from './table.js'

export const stageKinds = ['open', 'won', 'lost'] as const

export const pipelines = resource({
  name: 'pipeline',
  plural: 'pipelines',
  description: 'An ordered way of stages that deals go.',
  table: pipelineTable,
  onCreate: {
    stages: Type.Optional(
      Type.Array(
        Closed({
          name: Text(200),
          kind: Type.Optional(Enum('StageKind', stageKinds)),
          probability: Type.Optional(Nullable(Share()))
        }),
        { maxItems: 50, description: 'Its stages, made with it, in their order.' }
      )
    )
  },
  fields: {
    name: Text(200),
    position: Integer(0, 100000),
    lostReasonRequired: Bool()
  },
  filters: ['name'],
  sorts: ['name', 'position'],
  relations: {
    stages: many('stage', 'pipelineId'),
    deals: many('deal', 'pipelineId')
  }
})

export const stages = resource({
  name: 'stage',
  plural: 'stages',
  description: 'A step of a pipeline: open, won or lost. One in use is archived, never deleted.',
  table: stageTable,
  createOnly: {
    pipelineId: Id('The pipeline it is a step of.')
  },
  fields: {
    name: Text(200),
    kind: Enum('StageKind', stageKinds),
    position: Integer(0, 100000),
    probability: Nullable(Share()),
    archived: Bool()
  },
  filters: ['pipelineId', 'name', 'kind', 'position', 'archived'],
  sorts: ['position', 'name'],
  relations: {
    pipeline: one('pipeline', 'pipelineId'),
    deals: many('deal', 'stageId')
  }
})
