import { authorize } from './authorize.js'
import type { Context } from './context.js'
import { parameterError } from './errors.js'
import { findRecords, type RecordRow } from './read.js'
import { resourceNamed, type Relation, type Resource } from './resource.js'
import { suggestion } from './validate.js'

export interface Embedding {
  name: string
  relation: Relation
  target: Resource
}

const split = (given: string | string[] | undefined): string[] | undefined =>
  typeof given === 'string' ? given.split(',') : given

/** The relations that `include` names; each needs the scope to read its target. */
export function parseInclude(
  ctx: Context,
  resource: Resource,
  given: string | string[] | undefined
): Embedding[] {
  const ones = Object.entries(resource.relations).filter(([, r]) => r.kind === 'one')
  return [...new Set(split(given))].map(name => {
    const relation = ones.find(([n]) => n === name)?.[1]
    if (!relation) {
      const hint = suggestion(
        name,
        ones.map(([n]) => n)
      )
      throw parameterError('include', `${name} cannot be included.${hint}`, 'unknown_field')
    }
    const target = resourceNamed(relation.target)
    authorize(ctx, target.permissions.read)
    return { name, relation, target }
  })
}

/** The fields that `fields` names, and the version; undefined for all. */
export function parseFields(resource: Resource, given: string | string[] | undefined): string[] | undefined {
  const names = split(given)
  const known = [...resource.fields.keys()]
  const unknown = names?.find(name => !resource.fields.has(name))
  if (unknown !== undefined) {
    throw parameterError('fields', `${unknown} is not a field.${suggestion(unknown, known)}`, 'unknown_field')
  }
  return names && [...new Set(['version', ...names])]
}

/** Puts the related records into rows: one statement per relation; null where there is none to be seen. */
export async function embed(ctx: Context, rows: readonly RecordRow[], include: readonly Embedding[]) {
  await Promise.all(
    include.map(async ({ name, relation, target }) => {
      const ids = rows.map(r => r[relation.field]).filter(id => typeof id === 'string')
      const found = await findRecords(ctx, target, [...new Set(ids)])
      for (const row of rows) row[name] = found.get(row[relation.field] as string) ?? null
    })
  )
}
