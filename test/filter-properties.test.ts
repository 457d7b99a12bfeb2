import fc from 'fast-check'
import t from 'tap'
import { testApp } from './helpers/app.js'

const { call } = await testApp(t)

type Value = string | number | boolean | null
type Ops = Record<string, unknown>
type Filter = Record<string, unknown>

interface Contact {
  [field: string]: unknown
  id: string
  customFields: Record<string, Value>
  tags: string[]
  company: { name: string; employeeCount: number | null } | null
}

const words = [
  'a',
  'A',
  'ab',
  'Abc',
  'b%',
  '%',
  '_',
  '\\',
  'a\\b',
  'মিনা',
  'মি',
  'سنڌي',
  "o'b",
  '5',
  'true',
  '-1'
]
const word = fc.constantFrom(...words)
const day = fc.constantFrom('1990-01-01', '1999-12-31', '2000-02-29', '2001-01-01')
const email = fc.constantFrom('a@b.cd', 'A@B.cd', 'x@y.zz')
const country = fc.constantFrom('BD', 'PK', 'DE')
const count = fc.integer({ min: -2, max: 3 })

const body = fc.record({
  firstName: fc.option(word),
  email: fc.option(email),
  country: fc.option(country),
  birthDate: fc.option(day),
  tags: fc.uniqueArray(word, { maxLength: 3 }),
  customFields: fc.dictionary(fc.constantFrom('a', 'b'), fc.oneof(word, count, fc.boolean()), {
    noNullPrototype: true
  })
})

/** Operators of one field with fitting values, at least one. */
function tests(value: fc.Arbitrary<unknown>, names: string[]): fc.Arbitrary<Ops> {
  const some: Record<string, fc.Arbitrary<unknown>> = {
    in: fc.array(value, { maxLength: 3 }),
    notIn: fc.array(value, { maxLength: 3 }),
    isNull: fc.boolean(),
    contains: word,
    startsWith: word
  }
  const one = fc.constantFrom(...names).chain(op => (some[op] ?? value).map(v => [op, v] as const))
  return fc.array(one, { minLength: 1, maxLength: 2 }).map(entries => Object.fromEntries(entries))
}

const equality = ['eq', 'ne', 'in', 'notIn', 'isNull']
const texts = [...equality, 'contains', 'startsWith']
const order = ['gt', 'gte', 'lt', 'lte']

const leaf: fc.Arbitrary<Filter> = fc.oneof(
  tests(word, texts).map(firstName => ({ firstName })),
  tests(email, equality).map(email => ({ email })),
  tests(country, equality).map(country => ({ country })),
  tests(day, [...equality, ...order]).map(birthDate => ({ birthDate })),
  word.map(contains => ({ tags: { contains } })),
  tests(fc.oneof(word, count, fc.boolean()), texts).map(a => ({ customFields: { a } })),
  tests(count, order).map(b => ({ customFields: { b } })),
  tests(word, texts).map(name => ({ company: { name } })),
  tests(fc.nat(3), [...equality, ...order]).map(employeeCount => ({ company: { not: { employeeCount } } })),
  fc.constant({ company: {} }),
  fc.constant({})
)

const { tree } = fc.letrec<{ tree: Filter }>(tie => ({
  tree: fc.oneof(
    { maxDepth: 4, depthSize: 'medium' },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }).map(and => ({ and })),
    fc.array(tie('tree'), { maxLength: 3 }).map(or => ({ or })),
    tie('tree').map(not => ({ not })),
    fc.tuple(leaf, leaf).map(([a, b]) => ({ ...a, ...b }))
  )
}))

type Comparable = string | number

function test(op: string, stored: Value, given: unknown): boolean {
  switch (op) {
    case 'eq':
      return stored === given
    case 'ne':
      return stored !== given
    case 'in':
      return stored !== null && (given as Value[]).includes(stored)
    case 'notIn':
      return stored === null || !(given as Value[]).includes(stored)
    case 'isNull':
      return (stored === null) === given
    case 'contains':
      return stored !== null && String(stored).toLowerCase().includes(String(given).toLowerCase())
    case 'startsWith':
      return stored !== null && String(stored).toLowerCase().startsWith(String(given).toLowerCase())
  }
  if (stored === null) return false
  const [a, b] = [stored as Comparable, given as Comparable]
  return op === 'gt' ? a > b : op === 'gte' ? a >= b : op === 'lt' ? a < b : a <= b
}

const all = (ops: Ops, stored: Value, prepare: (given: unknown) => unknown = v => v) =>
  Object.entries(ops).every(([op, given]) => {
    const list = Array.isArray(given) ? given.map(prepare) : op === 'isNull' ? given : prepare(given)
    return test(op, stored, list)
  })

// Custom fields are compared as text, but for an order, which only numbers have.
function custom(ops: Ops, stored: Value | undefined): boolean {
  return Object.entries(ops).every(([op, given]) => {
    if (order.includes(op)) return test(op, typeof stored === 'number' ? stored : null, given)
    return all({ [op]: given }, stored == null ? null : String(stored), String)
  })
}

function matches(filter: Filter, row: Record<string, unknown>): boolean {
  return Object.entries(filter).every(([key, value]) => {
    if (key === 'and') return (value as Filter[]).every(f => matches(f, row))
    if (key === 'or') return (value as Filter[]).some(f => matches(f, row))
    if (key === 'not') return !matches(value as Filter, row)
    if (key === 'company') return row.company !== null && matches(value as Filter, row.company as Filter)
    const stored = row[key]
    if (key === 'tags') return (stored as string[]).includes((value as { contains: string }).contains)
    if (key === 'email')
      return all(value as Ops, (stored as string | null)?.toLowerCase() ?? null, v => String(v).toLowerCase())
    if (key === 'customFields') {
      const fields = stored as Record<string, Value>
      return Object.entries(value as Record<string, Ops>).every(([name, ops]) => custom(ops, fields[name]))
    }
    return all(value as Ops, stored as Value)
  })
}

async function makeRows(): Promise<Contact[]> {
  const companies = await Promise.all(
    [
      ['ab', 3],
      ['মিনা', null],
      ['A%', 0]
    ].map(async ([name, employeeCount]) => {
      const reply = await call('POST', '/v1/companies', { name, employeeCount })
      return reply.body as { id: string; name: string; employeeCount: number | null }
    })
  )
  const bodies = fc.sample(fc.tuple(body, fc.option(fc.constantFrom(...companies))), { numRuns: 80, seed: 7 })
  const operations = bodies.map(([b, company]) => ({
    op: 'create',
    body: { ...b, companyId: company?.id ?? null }
  }))
  const reply = await call('POST', '/v1/contacts/batch', { operations, atomic: true })
  return (reply.body.results as { id: string }[]).map(({ id }, i) => ({
    ...bodies[i]![0],
    id,
    company: bodies[i]![1]
  }))
}

t.test('a filter answers what it says, and not answers the rest', async t => {
  const rows = await makeRows()
  t.equal(rows.length, 80)
  async function found(filter: Filter): Promise<string[]> {
    const reply = await call('POST', '/v1/contacts/search', { filter, limit: 200, fields: ['id'] })
    if (reply.status !== 200) throw new Error(reply.text)
    return (reply.body.data as { id: string }[]).map(r => r.id).sort()
  }
  const property = fc.asyncProperty(tree, async filter => {
    const expected = rows
      .filter(r => matches(filter, r))
      .map(r => r.id)
      .sort()
    const rest = rows
      .map(r => r.id)
      .filter(id => !expected.includes(id))
      .sort()
    const [is, isNot] = await Promise.all([found(filter), found({ not: filter })])
    return is.join() === expected.join() && isNot.join() === rest.join()
  })
  const { failed, counterexample, errorInstance } = await fc.check(property, { numRuns: 250 })
  t.notOk(failed, 'holds', { counterexample, error: String(errorInstance) })
})
