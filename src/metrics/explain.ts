import sql, { join, raw, type Sql } from 'sql-template-tag'
import { isCursorId } from '../kernel/page.js'
import { mostIds, refused, type Request } from './parameters.js'

/** Whether, and from where on, the ids behind numbers are asked for. */
export interface ExplainRequest {
  explain?: boolean
  explainAfter?: string
}

interface Cursor {
  pointer: string
  id: string
}

function parsed(text: string): Cursor | undefined {
  try {
    const [pointer, id] = JSON.parse(Buffer.from(text, 'base64url').toString('utf8')) as [unknown, unknown]
    return typeof pointer === 'string' && isCursorId(id) ? { pointer, id } : undefined
  } catch {
    return undefined
  }
}

/** Where the ids asked for begin; a 400 for what is no cursor of ours, or goes without `explain`. */
export function cursorOf({ given, place }: Request<ExplainRequest>): Cursor | undefined {
  if (given.explainAfter === undefined) return undefined
  const cursor = given.explain ? parsed(given.explainAfter) : undefined
  if (cursor) return cursor
  const message = given.explain ? 'This is not a cursor of ours.' : 'explainAfter goes with explain=true.'
  throw refused(place, 'explainAfter', message, given.explain ? 'invalid_cursor' : 'not_allowed')
}

/** The ids of the subjects that meet each condition on the facts `f`, as a column; none where nobody asked. */
export function idColumns(given: ExplainRequest, members: Record<string, Sql>): Sql[] {
  if (!given.explain) return []
  const after = given.explainAfter === undefined ? undefined : parsed(given.explainAfter)?.id
  const of = (met: Sql) => {
    const condition = after === undefined ? met : sql`${met} and f.id > ${after}::uuid`
    return sql`(array_agg(distinct f.id order by f.id) filter (where ${condition}))[1:${raw(String(mostIds + 1))}]`
  }
  const pairs = Object.entries(members).map(([name, met]) => sql`${raw(`'${name}'`)}, ${of(met)}`)
  return [sql`json_build_object(${join(pairs, ', ')}) as ids`]
}

/** What is behind the numbers of an answer, at their places. */
export class Explanation {
  readonly found: Record<string, unknown> = {}

  constructor(private readonly cursor: Cursor | undefined) {}

  /** Says whose a number is. */
  add(pointer: string, lists: readonly (readonly string[] | null | undefined)[]): void {
    if (this.cursor && this.cursor.pointer !== pointer) return
    const all = [...new Set(lists.flatMap(ids => ids ?? []))].sort()
    const ids = all.slice(0, mostIds)
    const cursor = all.length > mostIds ? JSON.stringify([pointer, ids.at(-1)]) : null
    const nextCursor = cursor === null ? null : Buffer.from(cursor).toString('base64url')
    place(this.found, pointer.slice(1).split('/'), { ids, nextCursor })
  }
}

function place(into: Record<string, unknown>, [first = '', ...rest]: string[], what: unknown): void {
  if (rest.length === 0) return void (into[first] = what)
  const next = (into[first] ??= {}) as Record<string, unknown>
  place(next, rest, what)
}
