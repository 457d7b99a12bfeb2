import sql, { raw } from 'sql-template-tag'
import { isOwned, visible } from '../../kernel/authorize.js'
import type { TransactionContext } from '../../kernel/context.js'
import { fieldError, notFound } from '../../kernel/errors.js'
import { operation, value } from '../../kernel/operation.js'
import { findRecord, findRecords } from '../../kernel/read.js'
import { allResources, type Resource } from '../../kernel/resource.js'
import { About, Closed, Id, Integer, Text, Type } from '../../kernel/schema.js'
import { byId } from '../../kernel/standard-schemas.js'
import { suggestion } from '../../kernel/validate.js'
import { writerOf } from '../../kernel/writer.js'
import { users } from './resource.js'

const portion = 1000

const owned = () => allResources().filter(isOwned)

function chosen(names: readonly string[] | undefined): Resource[] {
  const all = owned()
  const known = all.map(r => r.plural)
  const wrong = names?.findIndex(name => !known.includes(name)) ?? -1
  if (wrong >= 0) {
    const message = `${names![wrong]} have no owner.${suggestion(names![wrong]!, known)}`
    throw fieldError('invalid_input', `/resources/${wrong}`, message, 'unknown_resource')
  }
  return names ? all.filter(r => names.includes(r.plural)) : all
}

async function checkHeirs(ctx: TransactionContext, from: string, heirs: readonly string[]): Promise<void> {
  const same = heirs.indexOf(from)
  if (same >= 0) {
    throw fieldError('unprocessable', `/to/${same}`, 'The records are to go to others.', 'self_reference')
  }
  const known = await findRecords(ctx, users, heirs, ['id'])
  const unknown = heirs.findIndex(id => !known.has(id))
  if (unknown < 0) return
  throw fieldError('unknown_reference', `/to/${unknown}`, `/to/${unknown} does not point to a user we know.`)
}

// What was handed over is no longer found, so each portion is the first one.
async function nextPortion(ctx: TransactionContext, resource: Resource, from: string): Promise<string[]> {
  const rows = await ctx.db.query<{ id: string }>(sql`
    select t.id from ${raw(`"${resource.table}" t`)}
    where ${visible(ctx, resource, 't')} and t.owner_id = ${from} order by t.id limit ${portion} for no key update`)
  return rows.map(r => r.id)
}

async function handOver(
  ctx: TransactionContext,
  resource: Resource,
  from: string,
  heirs: readonly string[]
): Promise<number> {
  const writer = writerOf(resource)
  let done = 0
  for (;;) {
    const ids = await nextPortion(ctx, resource, from)
    const start = done
    await writer.change(
      ctx,
      ids.map((id, i) => ({ id, patch: { ownerId: heirs[(start + i) % heirs.length] }, inBin: null }))
    )
    done += ids.length
    if (ids.length < portion) return done
  }
}

/** Hands a user's records over to others: to one, or to several in turn. Records in the bin go along. */
export const reassignRecords = operation({
  name: 'users.reassign',
  kind: 'write',
  permission: 'admin',
  summary: "Hand a user's records over to other users",
  description:
    'To one user, or to several in turn; in one transaction, with an event and history for each record. Those in the bin go along.',
  rest: 'POST /users/:id/reassign',
  graphql: 'reassignRecords',
  params: byId,
  body: Closed({
    to: Type.Array(Id(), {
      minItems: 1,
      maxItems: 100,
      uniqueItems: true,
      description: 'The users who get the records, in turn.'
    }),
    resources: Type.Optional(
      Type.Array(Text(50), {
        minItems: 1,
        maxItems: 100,
        uniqueItems: true,
        description: 'Which kinds of records, by plural as in paths; all that have an owner unless said.'
      })
    )
  }),
  result: value(
    Closed({
      reassigned: Type.Array(
        Closed(
          {
            resource: About('Plural, as in paths.', Text(50)),
            count: About('How many records have a new owner.', Integer(0, 2147483647))
          },
          { 'x-type': 'ReassignedCount', description: 'How many records of a kind were handed over.' }
        )
      )
    })
  ),
  atomic: true,
  async run(ctx, { id, body }) {
    const from = id.toLowerCase()
    const resources = chosen(body.resources)
    const user = await findRecord(ctx, users, from, { fields: ['id'], deleted: true })
    if (!user) throw notFound(users.name)
    const heirs = body.to.map(to => to.toLowerCase())
    await checkHeirs(ctx, from, heirs)
    const reassigned: { resource: string; count: number }[] = []
    for (const resource of resources) {
      reassigned.push({ resource: resource.plural, count: await handOver(ctx, resource, from, heirs) })
    }
    return { reassigned }
  }
})
