import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Operation } from '../src/kernel/operation.js'
import { encodeCursor } from '../src/kernel/page.js'
import { resourceNamed } from '../src/kernel/resource.js'
import { declaredOperations } from '../src/operations.js'
import { testApp } from './helpers/app.js'

const kith = await testApp(t)
const { call, graphql } = kith

type Row = Record<string, unknown> & { id: string }

/** Runs a property and reports it as one assertion, with the smallest case that breaks it. */
async function holds<T extends unknown[]>(t: Test, property: fc.IRawProperty<T>, numRuns: number) {
  const { failed, errorInstance, counterexample } = await fc.check(property as fc.IAsyncProperty<T>, {
    numRuns
  })
  t.notOk(failed, 'holds', { counterexample, error: String(errorInstance) })
}

// Text that PostgreSQL can carry, from many scripts: combining marks, right to left, beyond the first plane.
const scripts = [
  'a',
  'Z',
  'ß',
  'İ',
  'é',
  'e\u0301',
  'আ',
  'মিনা',
  'ক্ষ',
  'سنڌي',
  'ڳ',
  '👩‍👩‍👧',
  '🇧🇩',
  '\u200d',
  '\ufeff',
  '\u{10ffff}',
  '-',
  ' ',
  '%',
  '_',
  '\\',
  "'",
  '"'
]
const text = fc.oneof(
  fc.array(fc.constantFrom(...scripts), { minLength: 1, maxLength: 8 }).map(parts => parts.join('')),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map(s => s.replaceAll('\0', '0'))
)

async function createAll(path: string, bodies: object[]): Promise<string[]> {
  const operations = bodies.map(body => ({ op: 'create', body }))
  const { body, text } = await call('POST', `${path}/batch`, { operations, atomic: true })
  if (!body.results) throw new Error(text)
  return (body.results as Row[]).map(r => r.id)
}

async function walk(path: string, query: string): Promise<Row[]> {
  const rows: Row[] = []
  for (let after = ''; ;) {
    const { body, text } = await call('GET', `${path}?${query}${after}`)
    if (!body.data) throw new Error(text)
    rows.push(...(body.data as Row[]))
    if (body.page.nextCursor === null) return rows
    after = `&after=${encodeURIComponent(body.page.nextCursor as string)}`
  }
}

t.test('text comes back byte for byte', t =>
  holds(
    t,
    fc.asyncProperty(fc.array(text, { minLength: 20, maxLength: 20 }), async names => {
      const ids = await createAll(
        '/v1/contacts',
        names.map(lastName => ({ lastName, customFields: { a: lastName } }))
      )
      const { body } = await graphql(
        'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Contact { lastName customFields } } }',
        { ids }
      )
      const found = body.data.nodes as { lastName: string; customFields: { a: string } }[]
      const one = (await call('GET', `/v1/contacts/${ids[0]}`)).body
      const bytes = (s: unknown) => Buffer.from(String(s)).toString('hex')
      return (
        bytes(one.lastName) === bytes(names[0]) &&
        found.every(
          (f, i) => bytes(f.lastName) === bytes(names[i]) && bytes(f.customFields.a) === bytes(names[i])
        )
      )
    }),
    8
  )
)

t.test('a walk by cursors is the sorted list', async t => {
  const letters = ['a', 'B', 'c', 'C', 'é', 'É', 'আ', 'মি', 'سن', 'ڳ', '👍', '~', ' ', '_']
  const word = fc
    .array(fc.constantFrom(...letters), { minLength: 1, maxLength: 3 })
    .map(parts => parts.join(''))
  const bytes = (row: Row) =>
    row.lastName === null ? null : Buffer.from((row.lastName as string).toLowerCase())
  const ascending = (a: Row, b: Row) => {
    const [x, y] = [bytes(a), bytes(b)]
    if (x === null || y === null) return x === y ? compareIds(a, b) : x === null ? 1 : -1
    return Buffer.compare(x, y) || compareIds(a, b)
  }
  const compareIds = (a: Row, b: Row) => (a.id < b.id ? -1 : 1)
  let tag = 0
  const names = fc.array(fc.option(word), { minLength: 5, maxLength: 25 })
  await holds(
    t,
    fc.asyncProperty(
      names,
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      async (lastNames, limit, descending) => {
        const jobTitle = `walk ${++tag}`
        const ids = await createAll(
          '/v1/contacts',
          lastNames.map(lastName => ({ lastName, jobTitle }))
        )
        const expected = ids.map((id, i) => ({ id, lastName: lastNames[i]! })).sort(ascending)
        if (descending) expected.reverse()
        const sort = descending ? '-lastName' : 'lastName'
        const rows = await walk('/v1/contacts', `limit=${limit}&sort=${sort}&jobTitle=walk%20${tag}`)
        return rows.map(r => r.id).join() === expected.map(r => r.id).join()
      }
    ),
    8
  )
})

t.test('a cursor carries any text', t => {
  const contact = resourceNamed('contact')
  return holds(
    t,
    fc.asyncProperty(text, fc.uuid(), async (key, id) => {
      const after = encodeCursor(contact, 'lastName', key, id)
      const reply = await call('GET', `/v1/contacts?sort=lastName&limit=1&after=${after}`)
      return reply.status === 200 && /^[\w-]+$/.test(after)
    }),
    40
  )
})

const money = fc
  .tuple(
    fc.boolean(),
    fc.bigInt({ min: 0n, max: 10n ** 15n - 1n }),
    fc.integer({ min: 0, max: 9999 }),
    fc.integer({ min: 0, max: 4 })
  )
  .map(([negative, whole, fraction, digits]) => {
    const decimals = digits === 0 ? '' : `.${String(fraction).padStart(4, '0').slice(0, digits)}`
    return `${negative && (whole > 0n || Number(decimals) > 0) ? '-' : ''}${whole}${decimals}`
  })

t.test('money comes back as it was sent, on both surfaces', t =>
  holds(
    t,
    fc.asyncProperty(fc.array(money, { minLength: 25, maxLength: 25 }), async amounts => {
      const bodies = amounts.map(annualRevenue => ({ name: 'a', annualRevenue, currency: 'EUR' }))
      const ids = await createAll('/v1/companies', bodies)
      const { body } = await graphql(
        'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Company { annualRevenue } } }',
        { ids }
      )
      const rest = await Promise.all(ids.slice(0, 3).map(id => call('GET', `/v1/companies/${id}`)))
      const create =
        'mutation ($m: Decimal!) { createCompany(input: { name: "a", annualRevenue: $m, currency: "EUR" }) { company { annualRevenue } } }'
      const made = await graphql(create, { m: amounts[0] })
      return (
        (body.data.nodes as Row[]).every((n, i) => n.annualRevenue === amounts[i]) &&
        rest.every((r, i) => r.body.annualRevenue === amounts[i]) &&
        made.body.data.createCompany.company.annualRevenue === amounts[0]
      )
    }),
    6
  )
)

t.test('an instant is answered as the same one in UTC with milliseconds', async t => {
  const pipeline = await call('POST', '/v1/pipelines', {
    name: 'p',
    stages: [{ name: 's', kind: 'open', probability: 0.5 }]
  })
  const { body } = await call('GET', `/v1/stages?pipelineId=${pipeline.body.id}`)
  const stageId = body.data[0].id as string
  const pad = (n: number, digits = 2) => String(n).padStart(digits, '0')
  const instant = fc
    .tuple(
      fc.date({ min: new Date('1900-01-01'), max: new Date(), noInvalidDate: true }),
      fc.integer({ min: -14 * 60, max: 14 * 60 }),
      fc.constantFrom('T', 't', ' '),
      fc.integer({ min: 0, max: 3 })
    )
    .map(([date, offset, separator, digits]) => {
      const local = new Date(date.getTime() + offset * 60_000).toISOString()
      const zone =
        offset === 0
          ? 'Z'
          : `${offset < 0 ? '-' : '+'}${pad(Math.trunc(Math.abs(offset) / 60))}:${pad(Math.abs(offset) % 60)}`
      const fraction = digits === 0 ? '' : local.slice(19, 20 + digits)
      return `${local.slice(0, 10)}${separator}${local.slice(11, 19)}${fraction}${zone}`
    })
  await holds(
    t,
    fc.asyncProperty(fc.array(instant, { minLength: 20, maxLength: 20 }), async times => {
      const ids = await createAll(
        '/v1/deals',
        times.map(openedAt => ({ name: 'd', stageId, openedAt }))
      )
      const { body } = await graphql(
        'query ($ids: [ID!]!) { nodes(ids: $ids) { ... on Deal { openedAt } } }',
        { ids }
      )
      const rest = (await call('GET', `/v1/deals/${ids[0]}`)).body.openedAt as string
      const same = (i: number) => new Date(times[i]!.replace(/[t ]/, 'T')).toISOString()
      return (
        rest === same(0) &&
        (body.data.nodes as { openedAt: string }[]).every((n, i) => n.openedAt === same(i))
      )
    }),
    6
  )
})

// RFC 7396, as its section 2 writes it down.
function mergePatch(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch
  const result: Record<string, unknown> = typeof target === 'object' && target !== null ? { ...target } : {}
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name]
    else result[name] = mergePatch(result[name], value)
  }
  return result
}

t.test('a patch of custom fields is a JSON merge patch', t => {
  const name = fc.constantFrom('a', 'b', 'c', 'constructor', 'toString', 'hasOwnProperty')
  const value = fc.oneof(
    text,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null)
  )
  const fields = fc.dictionary(name, value, { noNullPrototype: true })
  const sorted = (given: object) => JSON.stringify(Object.entries(given).sort(([a], [b]) => (a < b ? -1 : 1)))
  return holds(
    t,
    fc.asyncProperty(fields, fc.array(fields, { minLength: 1, maxLength: 3 }), async (first, patches) => {
      const made = await call('POST', '/v1/contacts', { customFields: first })
      let expected = mergePatch({}, first) as object
      if (sorted(made.body.customFields as object) !== sorted(expected)) return false
      for (const customFields of patches) {
        expected = mergePatch(expected, customFields) as object
        const { body } = await call('PATCH', `/v1/contacts/${made.body.id}`, { customFields })
        if (sorted(body.customFields as object) !== sorted(expected)) return false
      }
      return true
    }),
    25
  )
})

const operations: Operation[] = declaredOperations()

t.test('no validator throws, whatever it is given', t => {
  const parts = ['params', 'query', 'body'] as const
  const validators = operations.flatMap(o => parts.flatMap(p => o.validators[p] ?? []))
  const names = [...new Set(operations.flatMap(o => parts.flatMap(p => Object.keys(o[p]?.properties ?? {}))))]
  const anything = fc.oneof(
    fc.jsonValue({ stringUnit: 'binary' }),
    fc.anything(),
    fc.dictionary(fc.constantFrom(...names, '__proto__', 'constructor'), fc.jsonValue(), { maxKeys: 6 })
  )
  return holds(
    t,
    fc.property(anything, value =>
      validators.every(v => v(value).every(i => i.code !== '' && i.message !== ''))
    ),
    60
  )
})
