import { Big } from 'big.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

/** Throws what was seen unless something holds; for properties, whose failures fast-check reports. */
export function check(isTrue: boolean, what: string, ...seen: unknown[]): void {
  if (!isTrue) throw new Error(`${what}\n${seen.map(s => JSON.stringify(s)).join('\n')}`)
}

/** What tells the members of a list apart; its place where nothing does. */
const identities = [
  'stage',
  'from',
  'to',
  'method',
  'model',
  'category',
  'key',
  'days',
  'windowDays',
  'period',
  'tenure'
]

function identityOf(item: unknown, place: number): string {
  if (typeof item !== 'object' || item === null) return String(place)
  const of = identities.filter(name => name in item).map(name => (item as Json)[name] as unknown)
  return of.length > 0 ? JSON.stringify(of) : String(place)
}

/** The numbers and decimals of a value by their paths, where members of lists go by what they are of. */
export function leaves(value: unknown, path = ''): Map<string, string | number | null> {
  const found = new Map<string, string | number | null>()
  if (value === null || typeof value !== 'object') {
    const isDecimal = typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value)
    if (value === null || typeof value === 'number' || isDecimal) found.set(path, value)
    return found
  }
  const members = Array.isArray(value)
    ? value.map((item, i) => [identityOf(item, i), item] as const)
    : Object.entries(value)
  for (const [name, member] of members)
    for (const [at, leaf] of leaves(member, `${path}/${name}`)) found.set(at, leaf)
  return found
}

const big = (value: string | number | null | undefined) => new Big(value ?? 0)

/** Every number that `adds` is as much as those of the parts together; null counts nothing. */
export function addsUp(parts: readonly unknown[], whole: unknown, adds: RegExp, what: string): void {
  const of = parts.map(p => leaves(p))
  const all = leaves(whole)
  const paths = new Set([...all.keys(), ...of.flatMap(p => [...p.keys()])])
  const summed = [...paths].filter(path => adds.test(path))
  check(summed.length > 0, `${what}: nothing adds up`, [...paths])
  for (const path of summed) {
    const sum = of.reduce((n, p) => n.plus(big(p.get(path))), new Big(0))
    const away = sum.minus(big(all.get(path))).abs()
    check(
      away.lte('1e-8'),
      `${what}: ${path} adds up to ${sum.toFixed()}`,
      all.get(path),
      of.map(p => p.get(path))
    )
  }
}

const isNumber = (value: unknown): value is number | string =>
  typeof value === 'number' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value))

/** Whether two numbers or decimals are the same; sums of fractions may differ in their last digits. */
const equal = (a: unknown, b: unknown): boolean =>
  a === b ||
  (typeof a === typeof b &&
    isNumber(a) &&
    isNumber(b) &&
    Math.abs(Number(a) - Number(b)) <= 1e-9 * Math.max(1, Math.abs(Number(b))))

/** Where two answers differ; nothing where they are the same. */
function differences(a: unknown, b: unknown, path = ''): unknown[] {
  if (equal(a, b)) return []
  if (typeof a !== 'object' || typeof b !== 'object' || !a || !b) return [[path, a, b]]
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...names].flatMap(name => differences((a as Json)[name], (b as Json)[name], `${path}/${name}`))
}

/** Two answers are the same. */
export function same(found: unknown, wanted: unknown, what: string): void {
  const differ = differences(found, wanted)
  check(differ.length === 0, what, differ.slice(0, 20))
}

/** Numbers of two answers are the same, as far as they are picked. */
export function sameNumbers(found: unknown, wanted: unknown, picked: RegExp, what: string): void {
  const [a, b] = [leaves(found), leaves(wanted)]
  const paths = [...new Set([...a.keys(), ...b.keys()])].filter(path => picked.test(path))
  const differ = paths.filter(path => !equal(a.get(path), b.get(path)))
  check(paths.length > 0 && differ.length === 0, what, differ.map(path => [path, a.get(path), b.get(path)])) // prettier-ignore
}

const at = (value: unknown, pointer: readonly string[]): unknown =>
  pointer.reduce<unknown>((v, name) => (v as Json | undefined)?.[name], value)

/** The ids behind the numbers of an answer, by their pointers. */
export function idsBehind({ explain }: Json): Map<string, string[]> {
  const found = new Map<string, string[]>()
  const walk = (node: unknown, pointer: string) => {
    if (typeof node !== 'object' || node === null) return
    const { ids, nextCursor } = node as { ids?: string[]; nextCursor?: string | null }
    if (Array.isArray(ids)) {
      check(nextCursor === null, `${pointer} has more ids than a page`)
      found.set(pointer, ids)
    } else for (const [name, member] of Object.entries(node)) walk(member, `${pointer}/${name}`)
  }
  walk(explain, '')
  return found
}

const measure = /meanCycleDays$|PerCustomer$|PerMonth$|Retention$|Churn$|inactive\/share$|recurring\/churn$/

/** Numbers that are not as many as the ids behind them. */
export interface Unlike {
  /** They count a subject several times. */
  several?: RegExp | undefined
  /** They give a subject a share. */
  shares?: RegExp | undefined
}

function fits(count: unknown, ids: readonly string[], pointer: string, { several, shares }: Unlike): boolean {
  if (typeof count !== 'number' || measure.test(pointer)) return true
  if (shares?.test(pointer)) return count <= ids.length + 1e-9
  if (several?.test(pointer)) return count >= ids.length && count > 0 === ids.length > 0
  return count === ids.length || !Number.isInteger(count)
}

/** Every number that is explained is as many as the ids behind it. */
export function explains(answer: Json, unlike: Unlike, what: string): void {
  const behind = idsBehind(answer)
  check(behind.size > 0, `${what}: nothing is explained`)
  for (const [pointer, ids] of behind) {
    const found = at(answer, pointer.slice(1).split('/')) as Json | number | string | null | undefined
    const count =
      typeof found === 'object' && found && 'numerator' in found ? (found.numerator as unknown) : found
    check(found !== undefined, `${what}: there is no ${pointer}`)
    check(new Set(ids).size === ids.length, `${what}: ${pointer} names ids twice`, ids)
    check(fits(count, ids, pointer, unlike), `${what}: ${pointer}`, count, ids)
  }
}

/** What a bucket says is what the figure says of its period alone; looked at for the first one and one in the middle. */
export async function bucketsArePeriods(ask: (more: object) => Promise<Json>, what: string): Promise<void> {
  const { buckets, asOf, knownAt } = await ask({ interval: 'month' })
  // The last one may go on; a figure of few records may have no other.
  const over = (buckets as Json[]).slice(0, -1)
  for (const { label, from, to, value } of over.filter((_, i) => i === 0 || i === over.length >> 1)) {
    const { value: alone } = await ask({ from, to, asOf, knownAt })
    same(value, alone, `${what}: ${label as string}`)
  }
}
