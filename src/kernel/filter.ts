import sql, { join, raw, type Sql } from 'sql-template-tag'
import { authorize, visible } from './authorize.js'
import type { Context } from './context.js'
import { hasParts, partCondition } from './filter-parts.js'
import {
  condition,
  count,
  customCondition,
  listOf,
  operatorsOf,
  reject,
  type Operator,
  type Scan
} from './filter-values.js'
import { pointing } from './links.js'
import { resourceNamed, type FieldInfo, type Relation, type Resource } from './resource.js'
import { escapePointer, suggestion } from './validate.js'

const maxDepth = 10

function related(
  scan: Scan,
  resource: Resource,
  alias: string,
  link: Relation,
  value: unknown,
  path: string,
  depth: number
): Sql {
  const target = resourceNamed(link.target)
  authorize(scan.ctx, target.permissions.read)
  const inner = `${alias}r`
  const { from, id: theirs } = pointing(scan.ctx, target, link.kind === 'one' ? 'id' : link.field, inner)
  const mine = link.kind === 'one' ? resource.fields.get(link.field)!.column : 'id'
  const where = conditions(scan, target, inner, value, path, depth, false)
  return sql`exists (select from ${from} where ${visible(scan.ctx, target, inner)} and ${theirs} = ${raw(
    `${alias}."${mine}" and ${inner}.deleted_at is null`
  )} and ${where})`
}

function combine(parts: Sql[], word: ' and ' | ' or '): Sql {
  if (parts.length === 0) return word === ' and ' ? sql`true` : sql`false`
  return sql`(${join(parts, word)})`
}

function group(
  scan: Scan,
  resource: Resource,
  alias: string,
  word: ' and ' | ' or ',
  value: unknown,
  path: string,
  depth: number,
  relations: boolean
): Sql {
  const children = listOf(scan, value, path)
  return combine(
    children.map((c, i) => conditions(scan, resource, alias, c, `${path}/${i}`, depth - 1, relations)),
    word
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function entry(
  scan: Scan,
  resource: Resource,
  alias: string,
  key: string,
  value: unknown,
  path: string,
  depth: number,
  relations: boolean
): Sql {
  if (key === 'and') return group(scan, resource, alias, ' and ', value, path, depth, relations)
  if (key === 'or') return group(scan, resource, alias, ' or ', value, path, depth, relations)
  if (key === 'not') {
    return sql`(${conditions(scan, resource, alias, value, path, depth - 1, relations)}) is not true`
  }
  const link = relations && Object.hasOwn(resource.relations, key) ? resource.relations[key] : undefined
  if (link) return related(scan, resource, alias, link, value, path, depth - 1)
  const field = filterable(scan, resource, key, path, relations)
  if (!isObject(value)) reject(scan, path, 'type', `Give an object of operators, such as { "eq": … }.`)
  const tests = Object.entries(value)
  if (field.kind === 'customFields') {
    return combine(
      tests.flatMap(([name, ops]) => {
        if (!isObject(ops))
          reject(scan, `${path}/${escapePointer(name)}`, 'type', 'Give an object of operators.')
        return Object.entries(ops).map(([op, v]) => {
          const at = `${path}/${escapePointer(name)}/${escapePointer(op)}`
          return customCondition(scan, field, alias, name, operator(scan, field, op, at), v, at)
        })
      }),
      ' and '
    )
  }
  return combine(
    tests.map(([op, v]) => {
      const at = `${path}/${escapePointer(op)}`
      if (op === 'part' && hasParts(field)) return partCondition(scan, field, alias, v, at)
      return condition(scan, field, alias, operator(scan, field, op, at), v, at)
    }),
    ' and '
  )
}

function filterable(
  scan: Scan,
  resource: Resource,
  key: string,
  path: string,
  relations: boolean
): FieldInfo {
  const known = [...resource.filters, 'customFields']
  const field = known.includes(key) ? resource.fields.get(key) : undefined
  if (field) return field
  const names = relations ? [...known, ...Object.keys(resource.relations), 'and', 'or', 'not'] : known
  reject(scan, path, 'unknown_field', `${key} cannot be filtered by.${suggestion(key, names)}`)
}

function operator(scan: Scan, field: FieldInfo, name: string, path: string): Operator {
  const allowed = operatorsOf[field.kind]
  const found = allowed.find(o => o === name)
  if (found) return found
  reject(scan, path, 'unknown_operator', `${field.name} can be filtered with ${allowed.join(', ')}.`)
}

function conditions(
  scan: Scan,
  resource: Resource,
  alias: string,
  value: unknown,
  path: string,
  depth: number,
  relations: boolean
): Sql {
  count(scan, 'groups', path)
  if (depth < 0) reject(scan, path, 'too_deep', 'The filter is nested too deeply.')
  if (!isObject(value)) reject(scan, path, 'type', 'A filter is an object.')
  const parts = Object.entries(value)
    .filter(([, v]) => v !== undefined)
    .map(([key, v]) =>
      entry(scan, resource, alias, key, v, `${path}/${escapePointer(key)}`, depth, relations)
    )
  return combine(parts, ' and ')
}

/** The JSON filter of search and GraphQL as SQL over the alias; a 400 that points at the place where it is wrong. */
export function filterSql(
  ctx: Context,
  resource: Resource,
  alias: string,
  filter: unknown,
  pointer = '/filter'
): Sql {
  const scan: Scan = { ctx, conditions: 0, groups: 0, locate: path => ({ in: 'body', pointer: path }) }
  return conditions(scan, resource, alias, filter, pointer, maxDepth, true)
}

const splitParameter = /^([A-Za-z.0-9_]+)(?:\[([A-Za-z]+)\])?$/

function fromText(field: FieldInfo, value: string): unknown {
  if (field.kind === 'integer' || field.kind === 'number') {
    return value.trim() === '' ? value : Number(value)
  }
  if (field.kind === 'boolean') return value === 'true' ? true : value === 'false' ? false : value
  return value
}

/** Whether a query parameter is a filter (`email`, `openedAt[gte]`, `customFields.tier`) of the resource. */
export function isFilterParameter(resource: Resource, parameter: string): boolean {
  const name = splitParameter.exec(parameter)?.[1]
  return name !== undefined && (resource.filters.includes(name) || name.startsWith('customFields.'))
}

/** A filter given as query parameters, in the JSON form, with the kinds of its values restored. */
export function filterFromQuery(resource: Resource, parameters: Record<string, string>): object | undefined {
  const parts = Object.entries(parameters).map(([parameter, value]) => {
    const [, path, op = 'eq'] = splitParameter.exec(parameter)!
    const [name, key] = path!.startsWith('customFields.') ? ['customFields', path!.slice(13)] : [path!, null]
    const field = resource.fields.get(name)!
    const many = op === 'in' || op === 'notIn'
    const typed =
      op === 'isNull'
        ? fromText({ ...field, kind: 'boolean' }, value)
        : many
          ? value.split(',').map(v => fromText(field, v))
          : fromText(field, value)
    return { [name]: key === null ? { [op]: typed } : { [key]: { [op]: typed } } }
  })
  return parts.length === 0 ? undefined : { and: parts }
}

/** The same as SQL; errors name the query parameter. */
export function querySql(
  ctx: Context,
  resource: Resource,
  alias: string,
  parameters: Record<string, string>
): Sql {
  const names = Object.keys(parameters)
  const scan: Scan = {
    ctx,
    conditions: 0,
    groups: 0,
    locate: path => ({ in: 'query', parameter: names[Number(path.split('/')[2])] ?? path })
  }
  const filter = filterFromQuery(resource, parameters)
  return filter ? conditions(scan, resource, alias, filter, '', maxDepth, false) : sql`true`
}
