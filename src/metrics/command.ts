import type { Context, Database, Snapshots } from '../kernel/context.js'
import { KithError } from '../kernel/errors.js'
import { invoke, type Answer, type Operation, type Request } from '../kernel/operation.js'
import type { Field } from '../kernel/schema.js'
import { compile, refuse } from '../kernel/validate.js'
import { csvLines } from './csv.js'
import { metricOperations } from './index.js'
import { asQuery, fromQuery } from './parameters.js'

/** How the command line shows a figure. */
export const tableFormats = ['table', 'json', 'csv', 'svg'] as const

export type TableFormat = (typeof tableFormats)[number]

const shown = (cell: unknown): string => {
  if (cell === null || cell === undefined) return ''
  if (typeof cell === 'string') return cell
  return JSON.stringify(
    typeof cell === 'number' && !Number.isInteger(cell) ? Number(cell.toPrecision(6)) : cell
  )
}

const padded = (rows: readonly string[][]): string => {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map(r => [...(r[i] ?? '')].length)))
  return rows
    .map(r =>
      r
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

/** The lines of an answer as tables: one for those that have the same columns. */
function tables(answer: Record<string, unknown>): string {
  const groups = new Map<string, Record<string, unknown>[]>()
  for (const line of csvLines(answer)) {
    const key = Object.keys(line).join(' ')
    groups.set(key, [...(groups.get(key) ?? []), line])
  }
  const parts = [...groups.values()].map(lines => {
    const names = Object.keys(lines[0]!).filter(name => name !== 'part' && name !== 'item')
    // A single line reads better downwards.
    if (lines.length === 1) return padded(names.map(name => [name, shown(lines[0]![name])]))
    return padded([names, ...lines.map(line => names.map(name => shown(line[name])))])
  })
  return `${parts.join('\n\n')}\n`
}

async function written(operation: Operation, format: TableFormat, result: unknown): Promise<string> {
  if (format === 'table') return tables(result as Record<string, unknown>)
  if (format === 'json') return `${JSON.stringify(result, null, 2)}\n`
  const write = operation.formats?.[format === 'csv' ? 'text/csv' : 'image/svg+xml']
  if (!write) throw new KithError('not_acceptable', 'That figure has no picture.')
  // The format is one of the operation that gave the result.
  return write(result as never)
}

// A figure that is asked by POST alone takes as a body what others take as a query.
function asked({ query, body }: Operation, given: Record<string, string>): Request {
  if (query || !body) return { query: given }
  const { data: _data, ...parameters } = body.properties as Record<string, Field>
  refuse(compile(asQuery(parameters), 'query')(given))
  return { body: fromQuery(parameters, given).given }
}

/** Somebody sits before it, and may end it. */
const longestMs = 3_600_000

/** Asks for a figure and answers it as text, undefined where there is none of that name; errors are those of the API. */
export async function figureText(
  database: Database,
  ctx: Context,
  name: string,
  query: Record<string, string>,
  format: TableFormat
): Promise<string | undefined> {
  const snapshots: Snapshots = {
    longestMs,
    read: work => database.transaction(db => work(db)),
    close: async () => undefined
  }
  const calls = metricOperations(snapshots).filter(
    o => o.rest?.path === `/metrics/${name}` && o.formats?.['text/csv']
  )
  const found = calls.find(o => o.query) ?? calls[0]
  if (!found) return undefined
  const render = async (result: unknown): Promise<Answer> => ({
    status: 200,
    headers: {},
    body: await written(found, format, result)
  })
  const { answer } = await invoke(database, ctx, found, asked(found, query), render)
  return answer.body
}
