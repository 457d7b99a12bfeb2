import { many, one, resource } from '../../kernel/resource.js'
import { About, Bool, Closed, Enum, Id, Integer, Nullable, Share, Text, Type } from '../../kernel/schema.js'
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
    name: About('What it is called.', Text(200)),
    position: About('Its place among the pipelines.', Integer(0, 100000)),
    lostReasonRequired: About('Whether a deal is lost only with a reason.', Bool())
  },
  filters: ['name'],
  sorts: ['name', 'position'],
  search: { title: ['name'] },
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
    name: About('What it is called.', Text(200)),
    kind: About('Whether deals in it are open, won or lost.', Enum('StageKind', stageKinds)),
    position: About('Its place in the pipeline; open stages are passed in this order.', Integer(0, 100000)),
    probability: About('How likely a deal in it is to be won, 0 to 1.', Nullable(Share())),
    archived: About('Whether it takes no more deals.', Bool())
  },
  filters: ['pipelineId', 'name', 'kind', 'position', 'archived'],
  sorts: ['position', 'name'],
  search: { title: ['name'] },
  relations: {
    pipeline: one('pipeline', 'pipelineId'),
    deals: many('deal', 'stageId')
  }
})
