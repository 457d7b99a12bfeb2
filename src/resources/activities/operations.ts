import sql from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { TransactionContext } from '../../kernel/context.js'
import { KithError, notFound } from '../../kernel/errors.js'
import { operation, record, type Operation } from '../../kernel/operation.js'
import { Closed, Instant, Text, Type } from '../../kernel/schema.js'
import { byId } from '../../kernel/standard-schemas.js'
import { standardOperations } from '../../kernel/standard.js'
import { settled } from '../../kernel/writer.js'
import { futureProblem } from '../../kernel/clock.js'
import { clock } from '../shared.js'
import { activities } from './resource.js'
import { activityWriter } from './writer.js'

interface Locked {
  [column: string]: unknown
  version: number
  status: 'planned' | 'completed' | 'canceled'
  completedAt: string | null
  now: string
}

async function lockActivity(ctx: TransactionContext, id: string, expectedVersion: number | undefined) {
  const [found] = await ctx.db.query<Locked>(sql`
    select t.version, t.status, t.completed_at as "completedAt", ${clock} as now
    from activities t where ${visible(ctx, activities, 't')} and t.id = ${id} and t.deleted_at is null
    for no key update of t`)
  if (!found) throw notFound('activity')
  if (expectedVersion === undefined || expectedVersion === found.version) return found
  throw new KithError('version_mismatch', `The activity is at version ${found.version}.`, {
    extra: { currentVersion: found.version }
  })
}

function refuseSettled({ status, completedAt }: Locked): void {
  if (status === 'canceled') {
    throw new KithError('unprocessable', 'The activity was canceled; plan it again to complete it.')
  }
  if (status === 'completed') {
    throw new KithError('conflict', `The activity was completed at ${completedAt}.`, {
      extra: { completedAt }
    })
  }
}

const completeActivity = operation({
  name: 'activities.complete',
  kind: 'write',
  permission: activities.permissions.write,
  summary: 'Complete a planned activity',
  description:
    'Now, or at the past time `completedAt`. One that is completed already is a 409, a canceled one a 422.',
  rest: 'POST /activities/:id/complete',
  graphql: 'completeActivity',
  params: byId,
  body: Closed({
    completedAt: Type.Optional(Instant()),
    outcome: Type.Optional(Text(500)),
    endedAt: Type.Optional(Instant())
  }),
  result: record(activities),
  atomic: true,
  async run(ctx, { id, body, expectedVersion }) {
    const locked = await lockActivity(ctx, id, expectedVersion)
    refuseSettled(locked)
    const problem = futureProblem(Date.parse(locked.now), body.completedAt, '/completedAt')
    if (problem) throw problem
    const row = { id: id.toLowerCase(), patch: { ...body, status: 'completed' } }
    return settled(activities, (await activityWriter.change(ctx, [row])).get(row.id))
  }
})

export const activityOperations: Operation[] = [
  ...standardOperations(activities, activityWriter),
  completeActivity
]
