import pg from 'pg'
import type { Row } from '../kernel/context.js'

/** `2026-01-31 09:30:00.5+00` as RFC 3339 with exactly milliseconds; the session's time zone is UTC. */
function instant(text: string): string {
  const fraction = text.length > 22 ? text.slice(20, text.length - 3) : ''
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(3, '0')}Z`
}

const emptyObject = Object.freeze({})
const emptyList = Object.freeze([])

function json(text: string): unknown {
  if (text === '{}') return emptyObject
  return text === '[]' ? emptyList : JSON.parse(text)
}

type Parser = (text: string) => unknown

const standard = (oid: number) => pg.types.getTypeParser(oid, 'text') as Parser
const texts = standard(1009)
const same: Parser = text => text

// Numbers beyond a double, instants and days stay text: nothing is parsed only to be printed again.
const parsers = new Map<number, Parser>([
  [20, same],
  [25, same],
  [114, json],
  [1009, text => (text === '{}' ? emptyList : texts(text))],
  [1082, same],
  [1184, instant],
  [1700, same],
  [2950, same],
  [3802, json]
])

interface Column {
  name: string
  dataTypeID: number
}

type Values = (string | null)[]
type MakeRow = (values: Values) => Row

// An object literal written for the columns makes rows of one hidden class without a look at each name: several times
// as fast as filling objects in a loop, which is what most of a list's time went into.
function rowMaker(columns: readonly Column[]): MakeRow {
  const parse = columns.map(c => parsers.get(c.dataTypeID) ?? standard(c.dataTypeID))
  const members = columns.map(({ name }, i) => {
    const value = parse[i] === same ? `v[${i}]` : `v[${i}] === null ? null : p[${i}](v[${i}])`
    return `${JSON.stringify(name)}: ${value}`
  })
  // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the names are aliases in our own statements
  const make = new Function('p', `return v => ({ ${members.join(', ')} })`) as (p: Parser[]) => MakeRow
  return make(parse)
}

const remembered = 1000
const makers = new Map<string, MakeRow>()

// Statements with other conditions have the same columns, so not each needs a function of its own.
function makerOf(columns: readonly Column[]): MakeRow {
  const key = columns.map(c => `${c.dataTypeID} ${c.name}`).join()
  const known = makers.get(key)
  if (known) return known
  const made = rowMaker(columns)
  if (makers.size < remembered) makers.set(key, made)
  return made
}

/** A statement's text, its name where it is prepared, and how its rows are made once it has run. */
export interface Shape {
  text: string
  name: string | undefined
  makeRow?: MakeRow
}

/** A query of the driver that makes rows its own way. */
class RowQuery extends pg.Query {
  readonly found: Row[] = []
  declare name: string | undefined

  constructor(
    private readonly shape: Shape,
    values: unknown[],
    done: (error: Error | undefined) => void
  ) {
    super(shape.text, values, done)
    this.name = shape.name
  }

  handleRowDescription({ fields }: { fields: Column[] }): void {
    this.shape.makeRow ??= makerOf(fields)
  }

  handleDataRow({ fields }: { fields: Values }): void {
    this.found.push(this.shape.makeRow!(fields))
  }
}

/** Runs a statement on a connection; rejects with the driver's error. */
export function queryRows<T extends Row>(
  client: pg.ClientBase,
  shape: Shape,
  values: unknown[]
): Promise<T[]> {
  return new Promise((resolve, reject) => {
    const query = new RowQuery(shape, values, error => {
      if (error) reject(error)
      else resolve(query.found as T[])
    })
    client.query(query)
  })
}
