import { stringify } from 'csv-stringify/sync'

type Cell = string | number | boolean | null
type Line = Record<string, Cell>
type Members = Record<string, unknown>

const isObject = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The members of an object that are no lists, those of objects within it under `outer.inner`. */
function flat(value: Members, prefix: string): Line {
  const line: Line = {}
  for (const [name, member] of Object.entries(value)) {
    if (isObject(member)) Object.assign(line, flat(member, `${prefix}${name}.`))
    else if (!Array.isArray(member)) line[prefix + name] = member as Cell
  }
  return line
}

/** All lists in an object, however deep, with the names that lead to them. */
function lists(value: Members, prefix: string): [string, unknown[]][] {
  return Object.entries(value).flatMap(([name, member]): [string, unknown[]][] => {
    if (Array.isArray(member)) return [[prefix + name, member]]
    return isObject(member) ? lists(member, `${prefix}${name}.`) : []
  })
}

/** A line of the flat members, then one for each item of its lists, theirs included. */
function linesOf(value: Members, about: Line, prefix: string): Line[] {
  const items = lists(value, prefix).flatMap(([name, list]) =>
    list.flatMap((item, i) => {
      const place: Line = { ...about, list: name, item: i }
      return isObject(item) ? linesOf(item, place, `${name}.`) : [{ ...place, [name]: item as Cell }]
    })
  )
  return [{ ...about, ...flat(value, prefix) }, ...items]
}

interface Part {
  value: Members
  label?: string
  key?: Members
  from?: string
  to?: string
  complete?: boolean
  buckets?: Part[]
}

const keyed = (key: Members = {}): Line =>
  Object.fromEntries(Object.entries(key).map(([field, v]) => [`key.${field}`, v as Cell]))

const bucketLines = (about: Line, { value, from, to, label, complete }: Part): Line[] =>
  linesOf(value, { ...about, from: from!, to: to!, bucket: label!, complete: complete! }, '')

function groupLines({ value, key, label, buckets = [] }: Part): Line[] {
  const about = { ...keyed(key), group: label! }
  return [
    ...linesOf(value, { part: 'group', ...about }, ''),
    ...buckets.flatMap(b => bucketLines({ part: 'group bucket', ...about }, b))
  ]
}

const members = new Set(['buckets', 'groups', 'warnings'])

// A record may have lists of its own, whose lines tell whose they are by its ids.
function recordLines(list: string, record: Members, item: number): Line[] {
  const ids = Object.entries(record).filter(([name]) => name.endsWith('Id'))
  const about = Object.fromEntries(ids.map(([name, id]) => [`${list}.${name}`, id as Cell]))
  return linesOf(record, { part: 'record', list, item, ...about }, `${list}.`)
}

/** The lists that only this figure has, such as pages of deals or customers, and where the page stands. */
function listLines(answer: Members): Line[] {
  const own = Object.entries(answer).filter(([name, list]) => Array.isArray(list) && !members.has(name))
  const records = own.flatMap(([name, list]) =>
    (list as Members[]).flatMap((record, i) => recordLines(name, record, i))
  )
  return [...records, ...(isObject(answer.page) ? linesOf(answer.page, { part: 'page' }, 'page.') : [])]
}

const places = new Set(['part', 'from', 'to', 'bucket', 'complete', 'group', 'list', 'item'])
const isPlace = (column: string) => places.has(column) || column.startsWith('key.')

// A cell that begins like a formula would be run by a spreadsheet; a negative number is none.
const harmless = (cell: Cell) =>
  typeof cell === 'string' && /^[=+\-@\t\r]/.test(cell) && !/^-?\d+(\.\d+)?$/.test(cell) ? `'${cell}` : cell

/**
 * What an answer says as lines: the total, its buckets and its groups, each followed by the items of its lists; then the
 * records that it lists, and where their page stands.
 */
export function csvLines(answer: Members): Line[] {
  // Every figure answers with these members; which others, is its own matter.
  const {
    value,
    buckets = [],
    groups = []
  } = answer as unknown as { value: Members; buckets?: Part[]; groups?: Part[] }
  return [
    ...linesOf(value, { part: 'total' }, ''),
    ...buckets.flatMap(b => bucketLines({ part: 'bucket' }, b)),
    ...groups.flatMap(groupLines),
    ...listLines(answer)
  ]
}

/**
 * An answer as one table of RFC 4180: lines for the total, its buckets, its groups and its records, with a column for
 * each number; the items of lists, such as stages, are lines of their own with `list` and `item`. Unknown is empty.
 */
export function csvOf(answer: Members): string {
  const lines = csvLines(answer)
  const names = new Set(lines.flatMap(line => Object.keys(line)))
  const columns = [...names].sort((a, b) => Number(isPlace(b)) - Number(isPlace(a)))
  const cells = lines.map(line => columns.map(name => harmless(line[name] ?? null)))
  return stringify([columns, ...cells], { record_delimiter: '\r\n', cast: { boolean: String } })
}
