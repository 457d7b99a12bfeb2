import { boolean, doublePrecision, index, integer, pgTable, text, uuid } from 'drizzle-orm/pg-core'
import { belongsTo, recordColumns, recordIndexes, searchColumn, textSort } from '../../database/columns.js'

export const pipelines = pgTable(
  'pipelines',
  {
    ...recordColumns(),
    name: text('name').notNull(),
    position: integer('position').notNull().default(0),
    lostReasonRequired: boolean('lost_reason_required').notNull().default(false),
    searchText: searchColumn({ title: ['name'] })
  },
  t => [
    ...recordIndexes('pipelines', t),
    index('pipelines_name').on(t.workspaceId, textSort(t.name, false), t.id)
  ]
)

export const stages = pgTable(
  'stages',
  {
    ...recordColumns(),
    pipelineId: uuid('pipeline_id').notNull(),
    name: text('name').notNull(),
    kind: text('kind').notNull().default('open'),
    position: integer('position').notNull(),
    probability: doublePrecision('probability'),
    archived: boolean('archived').notNull().default(false),
    searchText: searchColumn({ title: ['name'] })
  },
  t => [
    ...recordIndexes('stages', t),
    index('stages_pipeline').on(t.workspaceId, t.pipelineId, t.position, t.id),
    belongsTo('stages_pipeline', t.workspaceId, t.pipelineId, pipelines)
  ]
)
