import { About, Closed, Enum, Id, Instant, Integer, Nullable, Text, Type } from '../../kernel/schema.js'
import { changesResult } from '../../kernel/standard-schemas.js'
import { activities } from '../activities/resource.js'
import { stageKinds } from '../pipelines/resource.js'
import { LifecycleStage } from '../shared.js'

/** What a timeline tells, in the order in which it tells what happened at the same moment. */
export const kinds = ['activity', 'stage_move', 'conversion', 'lifecycle', 'change'] as const
export type Kind = (typeof kinds)[number]

export const TimelineKind = () => Enum('TimelineKind', kinds)

/** The member of an entry that holds what its kind tells. */
export const parts: Record<Kind, string> = {
  activity: 'activity',
  stage_move: 'stageMove',
  conversion: 'conversion',
  lifecycle: 'lifecycle',
  change: 'change'
}

const part = (name: string, description: string, properties: Parameters<typeof Closed>[0]) =>
  Type.Unsafe<object | null>({
    ...Closed(properties),
    type: ['object', 'null'],
    'x-type': name,
    description
  })

const change = changesResult.schema.properties.data.items.properties

export const timelineEntry = Closed(
  {
    id: { ...Text(100), 'x-kind': 'id', description: 'Stable; the same in every timeline.' },
    kind: About('What it tells, in the member of that name; the others are null.', TimelineKind()),
    at: About('When it happened: business time.', Instant()),
    actorType: Nullable(Enum('ActorType', ['user', 'key', 'system'])),
    actorId: Nullable(Id()),
    activity: Type.Unsafe<object | null>({
      ...activities.model,
      type: ['object', 'null'],
      'x-resource': activities.name,
      description: 'The activity as it is now.'
    }),
    stageMove: part('TimelineStageMove', 'A deal entered a stage, named as it was then.', {
      dealId: Id(),
      dealName: About('What the deal is called.', Text(300)),
      pipelineId: Id(),
      pipelineName: Text(200),
      stageId: Id(),
      stageName: Text(200),
      stageKind: Enum('StageKind', stageKinds),
      fromStageId: Nullable(Id('The stage before; null where it is the first.')),
      fromStageName: Nullable(Text(200)),
      recordedAt: Instant()
    }),
    conversion: part('TimelineConversion', 'A lead was converted.', {
      leadId: Id(),
      contactId: Nullable(Id('The contact it became.')),
      companyId: Nullable(Id('The company it became, or belongs to.')),
      dealId: Nullable(Id('The deal it became.'))
    }),
    lifecycle: part('TimelineLifecycle', 'A lifecycle stage was entered.', {
      stage: About('The stage; null where the one before was left.', LifecycleStage()),
      recordedAt: Instant()
    }),
    change: part('TimelineChange', 'Fields of the record were changed.', {
      version: About('The version that it made.', Integer(1, 2147483647)),
      requestId: change.requestId,
      fields: change.fields
    })
  },
  { 'x-type': 'TimelineEntry', description: 'One thing that happened to a record, or to what belongs to it.' }
)
