import { join, type Sql } from 'sql-template-tag'
import type { Context, Database } from '../kernel/context.js'
import { parameterError } from '../kernel/errors.js'
import { filterSql } from '../kernel/filter.js'
import { defaultSort, maxPageSize } from '../kernel/page.js'
import type { ListRequest, Page } from '../kernel/read.js'
import type { Resource } from '../kernel/resource.js'
import { Closed } from '../kernel/schema.js'
import { searchSql, SearchText } from '../kernel/search.js'
import { compile, refuse } from '../kernel/validate.js'
import type { Selection } from './graphql-selection.js'

/** What every resolver gets: who asks, and how. */
export interface GraphContext {
  ctx: Context
  database: Database
  /** Whether all that the document selects is wanted for sure, so that it may be read before the executor asks. */
  ahead: boolean
}

export interface ConnectionArgs {
  first?: number | null
  after?: string | null
  last?: number | null
  before?: string | null
  filter?: object | null
  orderBy?: string | null
  search?: string | null
}

/** A connection's arguments, ready to be read. */
export interface ConnectionRequest {
  request: ListRequest
  where: Sql | undefined
}

/** What a connection's fields are resolved from. */
export interface Connection {
  page: Page
  connection: ConnectionRequest
  count(): number | Promise<number>
}

/** How many records a list has unless asked for more or less. */
export const rootPageSize = 50
export const nestedPageSize = 10

/** How many rows an argument asks for; a 400 where that is none or too many. */
export function pageSize(name: 'first' | 'last', value: number): number {
  if (value >= 1 && value <= maxPageSize) return value
  throw parameterError(name, `${name} must be between 1 and ${maxPageSize}.`, 'out_of_range')
}

const checkSearch = compile(Closed({ search: SearchText('') }), 'body')

function checkedSearch(search: string): Sql {
  refuse(checkSearch({ search }))
  return searchSql('t', search, { in: 'body', pointer: '/search' })
}

function whereOf(ctx: Context, resource: Resource, { filter, search }: ConnectionArgs): Sql | undefined {
  const parts = [
    ...(filter == null ? [] : [filterSql(ctx, resource, 't', filter)]),
    ...(search == null ? [] : [checkedSearch(search)])
  ]
  return parts.length === 0 ? undefined : join(parts, ' and ')
}

/** The list that the arguments of a connection ask for. */
export function connectionRequest(
  ctx: Context,
  resource: Resource,
  args: ConnectionArgs,
  { columns, cursors }: Selection,
  standardSize: number
): ConnectionRequest {
  const backward = args.last != null
  if (backward && args.first != null)
    throw parameterError('last', 'Give first or last, not both.', 'not_allowed')
  const size = backward
    ? pageSize('last', args.last!)
    : args.first != null
      ? pageSize('first', args.first)
      : standardSize
  const where = whereOf(ctx, resource, args)
  return {
    where,
    request: {
      sort: args.orderBy ?? defaultSort,
      size,
      backward,
      after: args.after ?? undefined,
      before: args.before ?? undefined,
      fields: columns,
      cursors,
      ...(where && { where })
    }
  }
}
