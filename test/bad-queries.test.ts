import t, { type Test } from 'tap'
import { testApp } from './helpers/app.js'
import { isProblem, tellsNothing, type Expected } from './helpers/problems.js'

const { call } = await testApp(t)

const path = '/v1/contacts'
const json = { 'content-type': 'application/json' }

type QueryCase = [query: string, parameter: string, says?: RegExp]

async function refusesQueries(t: Test, cases: QueryCase[], of = path) {
  for (const [query, parameter, says] of cases) {
    await t.test(query, async t => {
      const expected = {
        status: 400,
        code: 'invalid_input',
        in: 'query',
        parameter,
        ...(says && { says })
      } as const
      isProblem(t, await call('GET', `${of}?${query}`), expected, of)
    })
  }
}

t.test('parameters of a list', t =>
  refusesQueries(t, [
    ...['0', '-1', '1e9', '201', 'abc', '1.5', '', '%20', 'NaN', 'Infinity', '5%00', 'null', '[]'].map(
      (limit): QueryCase => [`limit=${limit}`, 'limit']
    ),
    ['limit=1&limit=2', 'limit', /twice/],
    ['email=a@b.c&email=d@e.f', 'email', /twice/],
    ['lmit=5', 'lmit', /Did you mean limit\?/],
    ['emial=a@b.c', 'emial', /Did you mean email\?/],
    ['email[is]=a@b.c', 'email[is]'],
    ['email[regex]=.*', 'email[regex]'],
    ['email[$ne]=', 'email[$ne]'],
    ['__proto__=1', '__proto__'],
    ['constructor=1', 'constructor'],
    ['hasOwnProperty=1', 'hasOwnProperty'],
    ['a/b~c=1', 'a/b~c'],
    ['sort=nope', 'sort'],
    ['sort=email', 'sort'],
    ['sort=-createdAt,email', 'sort'],
    ['include=constructor', 'include'],
    ['include=companny', 'include', /Did you mean company\?/],
    ['include=', 'include'],
    ['fields=__proto__', 'fields'],
    ['fields=id,emial', 'fields', /Did you mean email\?/],
    ['fields=workspaceId', 'fields'],
    ['count=maybe', 'count'],
    ['deleted=yes', 'deleted']
  ])
)

t.test('filters in the address', t =>
  refusesQueries(t, [
    ['companyId=x', 'companyId'],
    [`companyId[in]=${'0'.repeat(8)},x`, 'companyId[in]'],
    ['email=%00', 'email'],
    ['email=', 'email'],
    ['lifecycleStage=nope', 'lifecycleStage'],
    ['birthDate[gte]=2026-02-30', 'birthDate[gte]'],
    ['createdAt[lt]=yesterday', 'createdAt[lt]'],
    ['createdAt[lt]=infinity', 'createdAt[lt]'],
    ['email[isNull]=maybe', 'email[isNull]'],
    ['email[contains]=', 'email[contains]'],
    ['customFields.a-b=1', 'customFields.a-b'],
    ['customFields.=1', 'customFields.'],
    ['customFields.a[regex]=1', 'customFields.a[regex]'],
    ['customFields.a[gt]=abc', 'customFields.a[gt]'],
    ['customFields.a[gt]=', 'customFields.a[gt]'],
    ['customFields.a[gt]=Infinity', 'customFields.a[gt]'],
    ['customFields.a[isNull]=1', 'customFields.a[isNull]'],
    ['company.name=a', 'company.name'],
    ...Array.from({ length: 1 }, (): QueryCase => [`email[in]=${'a@b.c,'.repeat(1000)}a@b.c`, 'email[in]'])
  ])
)

t.test('numbers in the address', t =>
  refusesQueries(
    t,
    ['abc', '', 'NaN', 'Infinity', '1e5', '1,5', "1' or '1'='1", '%00'].map(value => [
      `amount[gte]=${encodeURIComponent(decodeURIComponent(value))}`,
      'amount[gte]'
    ]),
    '/v1/deals'
  )
)

t.test('numbers of a list in the address', async t => {
  const cases: [string, string][] = [
    ['forecast', 'quantiles=0.5,1e309'],
    ['churn', 'tenures=1e309'],
    ['lead-funnel', 'maturedDays=Infinity'],
    ['funnel', 'maturedDays=7,-Infinity']
  ]
  for (const [name, query] of cases)
    await refusesQueries(t, [[query, query.split('=')[0]!]], `/v1/metrics/${name}`)
})

t.test('a report of a period that ends before it starts', t =>
  refusesQueries(t, [['from=2026-02-01&to=2026-01-01', 'to']], '/v1/metrics/report')
)

const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
const uuid = '01890000-0000-7000-8000-000000000000'

t.test('cursors', async t => {
  for (const firstName of ['a', 'b', 'c']) await call('POST', path, { firstName })
  await call('POST', '/v1/companies', { name: 'a' })
  await call('POST', '/v1/companies', { name: 'b' })
  const cursor = String((await call('GET', `${path}?limit=1`)).body.page.nextCursor)
  const other = String((await call('GET', '/v1/companies?limit=1')).body.page.nextCursor)
  const [name, sort, key] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as string[]
  const made = (...parts: unknown[]) => encode(parts)
  const bad = {
    'of another resource': other,
    truncated: cursor.slice(0, -5),
    'with a changed letter': `A${cursor.slice(1)}`,
    'of nothing': '',
    'no base64': '!!!',
    'no JSON': Buffer.from('{').toString('base64url'),
    'an object': encode({}),
    null: encode(null),
    'too few parts': made(name, sort, key),
    'too many parts': made(name, sort, key, uuid, uuid),
    'an id that is none': made(name, sort, key, "x' or 1=1"),
    'a key that is no instant': made(name, sort, "'; drop table contacts", uuid),
    'a key of no time': made(name, sort, '2026-02-30 00:00:00+00', uuid),
    'a number as key': made(name, sort, 5, uuid),
    'NUL as key': made(name, sort, '\0', uuid),
    'half a pair as key': made(name, sort, '\ud800', uuid),
    'a sort that is none': made(name, 'constructor', key, uuid),
    'a long one': 'a'.repeat(1001)
  }
  for (const [what, after] of Object.entries(bad)) {
    await t.test(what, async t => {
      const expected: Expected = { status: 400, code: 'invalid_input', parameter: 'after' }
      isProblem(t, await call('GET', `${path}?after=${encodeURIComponent(after)}`), expected, path)
      const body = await call('POST', `${path}/search`, { after })
      isProblem(t, body, { status: 400, code: 'invalid_input' }, `${path}/search`)
    })
  }
  await t.test('of another sort', async t => {
    const reply = await call('GET', `${path}?sort=lastName&after=${cursor}`)
    isProblem(t, reply, { status: 400, parameter: 'after', says: /another sort/ }, path)
  })
  await refusesQueries(
    t,
    [
      ['after=0x1', 'after'],
      ['after=-1', 'after']
    ],
    '/v1/events'
  )
  const { body } = await call('POST', path, { firstName: 'x' })
  await refusesQueries(
    t,
    [
      ['after=abc', 'after'],
      ['after=0', 'after']
    ],
    `${path}/${body.id}/changes`
  )
})

const nested = (levels: number): object =>
  levels === 0 ? { email: { eq: 'a@b.c' } } : { not: nested(levels - 1) }

type FilterCase = [name: string, filter: unknown, pointer: string, says?: RegExp]

const filters: FilterCase[] = [
  ['text', 'email', '/filter'],
  ['a list', [], '/filter'],
  ['null', null, '/filter'],
  ['an unknown field', { emial: { eq: 'a' } }, '/filter/emial', /Did you mean email\?/],
  ['constructor', { constructor: { eq: 1 } }, '/filter/constructor'],
  ['toString', { toString: {} }, '/filter/toString'],
  ['hasOwnProperty', { and: [{ hasOwnProperty: {} }] }, '/filter/and/0/hasOwnProperty'],
  ['a private column', { workspaceId: { eq: uuid } }, '/filter/workspaceId'],
  ['a bare value', { email: 'a@b.c' }, '/filter/email'],
  ['an unknown operator', { email: { regex: '.*' } }, '/filter/email/regex'],
  ['constructor as operator', { email: { constructor: 1 } }, '/filter/email/constructor'],
  ["another kind's operator", { email: { gt: 'a' } }, '/filter/email/gt'],
  ['a number for text', { email: { eq: 5 } }, '/filter/email/eq'],
  ['an object for text', { email: { eq: { $ne: 1 } } }, '/filter/email/eq'],
  ['null for a value', { email: { eq: null } }, '/filter/email/eq'],
  ['null in a list', { email: { in: ['a@b.c', null] } }, '/filter/email/in/1'],
  ['text for a list', { email: { in: 'a@b.c' } }, '/filter/email/in'],
  ['a long list', { firstName: { in: Array(1001).fill('a') } }, '/filter/firstName/in'],
  ['a wrong value in a list', { companyId: { in: [uuid, 'x'] } }, '/filter/companyId/in/1'],
  ['text for a boolean', { email: { isNull: 'true' } }, '/filter/email/isNull'],
  ['an object for and', { and: {} }, '/filter/and'],
  ['a value in and', { and: [1] }, '/filter/and/0'],
  ['a list for not', { not: [] }, '/filter/not'],
  ['deep in a relation', { company: { name: { regex: 'a' } } }, '/filter/company/name/regex'],
  ['two hops', { company: { parent: { name: { eq: 'a' } } } }, '/filter/company/parent'],
  ['a custom field', { customFields: { "a' or 1=1": { eq: 1 } } }, "/filter/customFields/a' or 1=1/eq"],
  ["a custom field's value", { customFields: { a: { eq: {} } } }, '/filter/customFields/a/eq'],
  ["a custom field's operator", { customFields: { a: { regex: '.' } } }, '/filter/customFields/a/regex'],
  ['a custom field without operator', { customFields: { a: 1 } }, '/filter/customFields/a'],
  ['a blank as a number', { customFields: { a: { gt: ' ' } } }, '/filter/customFields/a/gt'],
  ['too deep', nested(12), `/filter${'/not'.repeat(11)}`],
  ['NUL', { email: { eq: 'a\0' } }, '/filter/email/eq']
]

t.test('filters of a search', async t => {
  const search = `${path}/search`
  for (const [name, filter, pointer, says] of filters) {
    await t.test(name, async t => {
      const reply = await call('POST', search, { filter })
      isProblem(t, reply, { status: 400, code: 'invalid_input', pointer, ...(says && { says }) }, search)
    })
  }
  await t.test('__proto__', async t => {
    const reply = await call('POST', search, '{"filter":{"__proto__":{"eq":1}}}', json)
    isProblem(t, reply, { status: 400, code: 'invalid_json' }, search)
  })
})

t.test('filters that are too large', async t => {
  const search = `${path}/search`
  const many = (n: number, make: (i: number) => [string, unknown]) =>
    Object.fromEntries(Array.from({ length: n }, (_, i) => make(i)))
  const large = {
    conditions: { and: Array(101).fill({ email: { eq: 'a@b.c' } }) },
    'conditions in turn': {
      or: Array.from({ length: 11 }, () => ({ and: Array(10).fill({ email: { eq: 'a@b.c' } }) }))
    },
    'custom fields': { customFields: many(20_000, i => [`a${i}`, { eq: 'x' }]) },
    'numbers in custom fields': { customFields: many(101, i => [`a${i}`, { gt: 1 }]) },
    'empty groups': { and: Array.from({ length: 1000 }, () => ({ or: Array(100).fill({}) })) },
    'operators of one field': { and: Array.from({ length: 60 }, () => ({ firstName: { eq: 'a', ne: 'b' } })) }
  }
  for (const [name, filter] of Object.entries(large)) {
    await t.test(name, async t => {
      const reply = await call('POST', search, { filter })
      isProblem(t, reply, { status: 400, code: 'invalid_input', says: /at most/ }, search)
    })
  }
  const most = await call('POST', search, { filter: { and: Array(98).fill({ email: { eq: 'a@b.c' } }) } })
  t.equal(most.status, 200, 'what is allowed is answered')
})

t.test('patterns are taken literally', async t => {
  const names = ['50% off', 'under_score', 'back\\slash', '.*', "o'hara", 'a"b', '[x]', '(?i)', 'plain']
  for (const lastName of names) await call('POST', path, { lastName })
  const found = async (op: string, value: string) => {
    const reply = await call('POST', `${path}/search`, {
      filter: { lastName: { [op]: value } },
      sort: 'lastName'
    })
    tellsNothing(t, reply.text)
    return (reply.body.data as { lastName: string }[]).map(c => c.lastName)
  }
  t.strictSame(await found('contains', '%'), ['50% off'])
  t.strictSame(await found('contains', '_'), ['under_score'])
  t.strictSame(await found('contains', '\\'), ['back\\slash'])
  t.strictSame(await found('contains', '.*'), ['.*'])
  t.strictSame(await found('startsWith', '%'), [])
  t.strictSame(await found('startsWith', '_'), [])
  t.strictSame(await found('startsWith', '.'), ['.*'])
  for (const name of names) {
    t.strictSame(await found('eq', name), [name])
    t.strictSame(await found('startsWith', name.slice(0, -1)), [name])
    const reply = await call('GET', `${path}?lastName=${encodeURIComponent(name)}`)
    t.strictSame(
      (reply.body.data as { lastName: string }[]).map(c => c.lastName),
      [name]
    )
  }
})

t.test('ids in the path', async t => {
  for (const id of [
    'x',
    '1',
    `${uuid}x`,
    `{${uuid}}`,
    '%00',
    "'%20or%201=1",
    '..%2f..',
    '%20',
    'null',
    '%E2%80%AE'
  ]) {
    for (const suffix of ['', '/changes']) {
      const at = `${path}/${id}${suffix}`
      const reply = await call('GET', at)
      isProblem(t, reply, { status: 400, code: 'invalid_input', in: 'path', parameter: 'id' })
    }
  }
  isProblem(t, await call('GET', `${path}/${uuid}`), { status: 404, code: 'not_found' }, `${path}/${uuid}`)
  for (const source of ['a%20b', '%00', 'a%2fb']) {
    const at = `${path}/external/${source}/1`
    const reply = await call('GET', at)
    isProblem(t, reply, { status: 400, in: 'path', parameter: 'source' }, at)
  }
  isProblem(t, await call('GET', `${path}/external/a/%00`), { status: 400, parameter: 'externalId' })
})
