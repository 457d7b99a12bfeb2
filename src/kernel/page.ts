import sql, { empty, raw, type Sql } from 'sql-template-tag'
import { parameterError } from './errors.js'
import type { Resource } from './resource.js'
import { sortExpression } from './sort.js'
import { hasFormat, suggestion } from './validate.js'

/** Which part of a list is wanted: `size` rows after or before a cursor, from the end if `backward`. */
export interface PageRequest {
  sort: string
  size: number
  after?: string | undefined
  before?: string | undefined
  backward?: boolean
  /** False where no cursor of a row will be asked for: making its text costs more than the row. */
  cursors?: boolean
}

export const defaultSort = '-createdAt'
export const maxPageSize = 200

interface Sort {
  expression: (alias: string) => string
  sqlType: string
  descending: boolean
}

function sortOf(resource: Resource, sort: string): Sort {
  const descending = sort.startsWith('-')
  const name = descending ? sort.slice(1) : sort
  if (!resource.sorts.includes(name)) {
    throw parameterError(
      'sort',
      `${resource.plural} cannot be sorted by ${name}.${suggestion(name, resource.sorts)}`,
      'unknown_field'
    )
  }
  const field = resource.fields.get(name)!
  return {
    descending,
    sqlType: field.sqlType.startsWith('timestamp') ? 'timestamptz' : field.sqlType,
    expression: alias => sortExpression(`${alias}."${field.column}"`, field.sqlType, field.nullable)
  }
}

/** The sort value of a row as text, selected beside its fields: what its cursor is made of. */
export const sortKey = '_key'

// The database's text of an instant or a day; `infinity` stands for null.
const readable: Record<string, (key: string) => boolean> = {
  timestamptz: key => key === 'infinity' || hasFormat('instant', `${key}:00`),
  date: key => key === 'infinity' || hasFormat('day', key),
  integer: key => /^-?\d{1,9}$/.test(key),
  text: key => !key.includes('\0') && key.isWellFormed()
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** Whether a text is an id as cursors have it. */
export const isCursorId = (text: unknown): text is string => typeof text === 'string' && uuid.test(text)

/** An opaque position in a list: the sort, the row's sort value and its id. */
export function encodeCursor(resource: Resource, sort: string, key: string, id: string): string {
  return Buffer.from(JSON.stringify([resource.name, sort, key, id])).toString('base64url')
}

function decodeCursor(
  resource: Resource,
  sort: string,
  sqlType: string,
  cursor: string,
  parameter: string
): [string, string] {
  const invalid = (message: string) => parameterError(parameter, message, 'invalid_cursor')
  let parts: unknown
  try {
    parts = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'))
  } catch {
    throw invalid('This is not a cursor of ours.')
  }
  if (!Array.isArray(parts) || parts.length !== 4 || !parts.every(p => typeof p === 'string')) {
    throw invalid('This is not a cursor of ours.')
  }
  const [name, cursorSort, key, id] = parts as [string, string, string, string]
  if (name !== resource.name || cursorSort !== sort) {
    throw invalid('The cursor belongs to another list or another sort.')
  }
  if (!isCursorId(id) || !readable[sqlType]!(key)) {
    throw invalid('This is not a cursor of ours.')
  }
  return [key, id]
}

export interface PageSql {
  /** The extra column that the cursor is made of, after a comma. */
  key: Sql
  where: Sql
  order: Sql
  limit: Sql
}

/** The keyset condition, order and limit of a page: one row more than asked, to know whether there are more. */
export function pageSql(resource: Resource, alias: string, page: PageRequest): PageSql {
  const sort = sortOf(resource, page.sort)
  const expression = sort.expression(alias)
  const downward = sort.descending !== (page.backward ?? false)
  const compare = (cursor: string, parameter: string, greater: boolean) => {
    const [key, id] = decodeCursor(resource, page.sort, sort.sqlType, cursor, parameter)
    const collate = sort.sqlType === 'text' ? ' collate "C"' : ''
    return sql`(${raw(expression)}, ${raw(alias)}.id) ${raw(greater ? '>' : '<')} (${key}::${raw(
      sort.sqlType + collate
    )}, ${id}::uuid)`
  }
  const where = [
    page.after === undefined ? sql`true` : compare(page.after, 'after', !sort.descending),
    page.before === undefined ? sql`true` : compare(page.before, 'before', sort.descending)
  ]
  const direction = downward ? 'desc' : 'asc'
  return {
    key: page.cursors === false ? empty : raw(`, (${expression})::text as "${sortKey}"`),
    where: sql`${where[0]} and ${where[1]}`,
    order: raw(`order by ${expression} ${direction}, ${alias}.id ${direction}`),
    limit: sql`limit ${page.size + 1}`
  }
}
