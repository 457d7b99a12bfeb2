import sql, { join, raw } from 'sql-template-tag'
import { visible } from './authorize.js'
import { selectList } from './columns.js'
import type { Context } from './context.js'
import { fieldError, type KithError } from './errors.js'
import { pointed, type Pointed } from './links.js'
import type { Proposal } from './proposal.js'
import type { Resource } from './resource.js'

const text = (value: unknown) => (typeof value === 'string' ? value.toLowerCase() : undefined)

async function knownIds(
  ctx: Context,
  wanted: Map<Resource, Set<string>>
): Promise<Map<Resource, Set<string>>> {
  const targets = [...wanted]
  const probes = targets.map(
    ([target, ids], i) =>
      sql`select ${i}::int as i, t.id from ${raw(`"${target.table}" t`)}
          where ${visible(ctx, target, 't')} and t.id = any(${[...ids]}::uuid[]) and t.deleted_at is null`
  )
  const rows = await ctx.db.query<{ i: number; id: string }>(join(probes, ' union all '))
  const known = new Map(targets.map(([target]) => [target, new Set<string>()]))
  for (const row of rows) known.get(targets[row.i]![0])!.add(row.id)
  return known
}

interface Used extends Pointed {
  row: Proposal
  id: string
}

const place = (recordId: string, { field, id }: Pointed) => `${recordId}\n${field}\n${String(id)}`

// What a record refers to already may be sent again, whether it went to the bin or is out of sight.
async function keptReferences(
  ctx: Context,
  resource: Resource,
  used: readonly Used[]
): Promise<ReadonlySet<string>> {
  const changes = used.filter(u => !u.row.created && resource.fields.has(u.field))
  if (changes.length === 0) return new Set()
  const fields = [...new Set(changes.map(u => u.field))].sort()
  const ids = [...new Set(changes.map(u => u.row.id))]
  const rows = await ctx.db.query<{ id: string }>(sql`
    select ${selectList(resource, 't', fields)} from ${raw(`"${resource.table}" t`)}
    where ${visible(ctx, resource, 't')} and t.id = any(${ids}::uuid[])`)
  return new Set(rows.flatMap(row => pointed(resource, row).map(p => place(row.id, p))))
}

/** What a resource's values point to besides its relations and links. */
export type MorePointed = (values: Record<string, unknown>) => Pointed[]

/**
 * Finds references that are unknown, foreign or invisible: alike for all three, in one statement. Those that the
 * record has already are not looked at.
 */
export async function checkReferences(
  ctx: Context,
  resource: Resource,
  rows: readonly Proposal[],
  more: MorePointed = () => []
): Promise<Map<string, KithError>> {
  const wanted = new Map<Resource, Set<string>>()
  const used = rows.flatMap(row =>
    [...pointed(resource, row.values), ...more(row.values)].flatMap((found): Used[] => {
      const id = text(found.id)
      if (id === undefined || row.inherited?.has(found.field)) return []
      const ids = wanted.get(found.target) ?? new Set<string>()
      wanted.set(found.target, ids.add(id))
      return [{ ...found, row, id }]
    })
  )
  const problems = new Map<string, KithError>()
  if (used.length === 0) return problems
  const known = await knownIds(ctx, wanted)
  const unknown = used.filter(u => !known.get(u.target)!.has(u.id))
  const kept = await keptReferences(ctx, resource, unknown)
  for (const use of used) {
    const { row, pointer, target, id } = use
    if (target === resource && id === row.id.toLowerCase()) {
      const message = `A ${resource.name} cannot point to itself.`
      problems.set(row.id, fieldError('unprocessable', pointer, message, 'self_reference'))
    }
    if (known.get(target)!.has(id) || kept.has(place(row.id.toLowerCase(), use)) || problems.has(row.id))
      continue
    problems.set(
      row.id,
      fieldError(
        'unknown_reference',
        pointer,
        `${pointer.slice(1)} does not point to a ${target.name} we know.`
      )
    )
  }
  return problems
}
