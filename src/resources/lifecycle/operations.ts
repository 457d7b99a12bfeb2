import sql, { raw } from 'sql-template-tag'
import { visible } from '../../kernel/authorize.js'
import type { TransactionContext } from '../../kernel/context.js'
import { notFound } from '../../kernel/errors.js'
import { operation, record, value, type Operation } from '../../kernel/operation.js'
import type { Resource } from '../../kernel/resource.js'
import { Closed, Enum, Id, Instant, Integer, Nullable, Type } from '../../kernel/schema.js'
import { byId } from '../../kernel/standard-schemas.js'
import { standardOperations } from '../../kernel/standard.js'
import { changeRecords } from '../../kernel/write.js'
import { settled, type Writer } from '../../kernel/writer.js'
import { futureProblem } from '../../kernel/clock.js'
import { clock, LifecycleStage, EnteredStage } from '../shared.js'
import { addRow, lifecycleOf } from './history.js'
import { lifecycleWriter } from './writer.js'

async function lockRecord(ctx: TransactionContext, resource: Resource, id: string): Promise<number> {
  const [found] = await ctx.db.query<{ now: string }>(sql`
    select ${clock} as now from ${raw(`"${resource.table}" t`)}
    where ${visible(ctx, resource, 't')} and t.id = ${id} and t.deleted_at is null for no key update of t`)
  if (!found) throw notFound(resource.name)
  return Date.parse(found.now)
}

const entry = Closed(
  {
    seq: Integer(1, 2147483647),
    at: Instant(),
    recordedAt: Instant(),
    stage: LifecycleStage(),
    actorType: Enum('ActorType', ['user', 'key', 'system']),
    actorId: Nullable(Id())
  },
  { 'x-type': 'LifecycleEntry', description: 'A stage entered; without one the stage before was left.' }
)

// A change of the stage is an update; one of its past alone has a type of its own.
const pastOnly = (r: Resource) =>
  raw(
    `case when t.lifecycle_stage is not distinct from o.lifecycle_stage then '${r.eventName}.lifecycle_changed' end`
  )

function setStage(r: Resource, writer: Writer): Operation {
  return operation({
    name: `${r.plural}.setLifecycleStage`,
    kind: 'write',
    permission: r.permissions.write,
    summary: `Say which lifecycle stage a ${r.name} entered, now or in the past`,
    description:
      'Told in any order: the stage is the last one by time. What is told twice counts once; without `at` it is now.',
    rest: `POST /${r.plural}/:id/lifecycle`,
    graphql: `set${r.noun}LifecycleStage`,
    params: byId,
    body: Closed({ stage: EnteredStage(), at: Type.Optional(Instant()) }),
    result: record(r),
    atomic: true,
    async run(ctx, { id: given, body: { stage, at }, expectedVersion }) {
      const id = given.toLowerCase()
      const row = { id, patch: { lifecycleStage: stage }, expectedVersion }
      if (at === undefined) return settled(r, (await writer.change(ctx, [row])).get(id))
      const problem = futureProblem(await lockRecord(ctx, r, id), at, '/at')
      if (problem) throw problem
      const { added, last } = await addRow(ctx, r, id, { stage, at })
      const late = { ...row, patch: { lifecycleStage: last }, touched: added }
      const changes = await changeRecords(ctx, r, [late], { type: pastOnly(r) })
      return settled(r, changes.get(id))
    }
  })
}

const history = (r: Resource): Operation =>
  operation({
    name: `${r.plural}.lifecycle`,
    kind: 'read',
    permission: r.permissions.read,
    summary: `The lifecycle stages that a ${r.name} entered, by time`,
    description: 'From its creation on, whichever call set them; kept for ever.',
    rest: `GET /${r.plural}/:id/lifecycle`,
    graphql: `${r.name}Lifecycle`,
    params: byId,
    result: value(Closed({ data: Type.Array(entry) })),
    run: async (ctx, { id }) => ({ data: await lifecycleOf(ctx, r, id) })
  })

/** The operations of a resource whose records have a lifecycle stage with its history. */
export const lifecycleOperations = (
  resource: Resource,
  writer: Writer = lifecycleWriter(resource)
): Operation[] => [...standardOperations(resource, writer), setStage(resource, writer), history(resource)]
