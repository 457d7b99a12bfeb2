import t, { type Test } from 'tap'
import { getIntrospectionQuery } from 'graphql'
import { testApp, type Reply } from './helpers/app.js'
import { tellsNothing } from './helpers/problems.js'

const { graphql, call } = await testApp(t)
const asked = { accept: 'application/graphql-response+json' }

const costOf = async (query: string, variables?: object) =>
  (await graphql(query, variables)).body.extensions?.cost as unknown

function isTooComplex(t: Test, { status, body, text }: Reply, says: RegExp): void {
  t.equal(status, 400)
  t.match(body, { errors: [{ message: says, extensions: { code: 'too_complex', status: 400 } }] })
  t.notOk('data' in body)
  tellsNothing(t, text)
}

t.test('the cost of a document is told', async t => {
  const one = '{ id }'
  const of: [string, number][] = [
    ['{ __typename }', 0],
    ['{ me { workspaceName } }', 10],
    [`{ contact(id: "01890000-0000-7000-8000-000000000000") { id email company ${one} } }`, 2],
    ['{ contacts { totalCount } }', 10],
    ['{ contacts { nodes { id } } }', 10 + 50],
    ['{ contacts(first: 3) { nodes { id email tags } pageInfo { hasNextPage } } }', 10 + 3],
    ['{ contacts(last: 3) { edges { cursor node { id } } } }', 10 + 3],
    [`{ contacts(first: 3) { nodes { company ${one} owner ${one} } } }`, 10 + 3 * 3],
    [`{ contacts(first: 3) { nodes { deals { nodes ${one} } } } }`, 10 + 3 * (1 + 1 + 10)],
    [
      `{ contacts(first: 3) { nodes { deals(first: 2) { nodes { stage ${one} } } } } }`,
      10 + 3 * (1 + 1 + 2 * 2)
    ],
    [`{ a: contacts(first: 3) { nodes ${one} } b: companies(first: 4) { nodes ${one} } }`, 20 + 7],
    [`{ contacts(first: 3) { ...F } } fragment F on ContactConnection { nodes ${one} }`, 10 + 3],
    [`{ contacts(first: 3) { nodes @skip(if: true) ${one} edges { node ${one} } } }`, 10 + 3],
    [
      '{ nodes(ids: ["01890000-0000-7000-8000-000000000000", "01890000-0000-7000-8000-000000000001"]) { id } }',
      10 + 2
    ],
    ['{ metrics { funnel { value { outcome { won } } } } }', 1000],
    ['mutation { createContact(input: { firstName: "a" }) { contact { id } } }', 11]
  ]
  for (const [query, cost] of of) t.equal(await costOf(query), cost, query)
})

t.test('the cost follows the variables', async t => {
  const query = `query Q($n: Int = 7, $m: Int, $on: Boolean = true, $filter: ContactFilter) {
    contacts(first: $n, filter: $filter) { nodes { deals(first: $m) @include(if: $on) { nodes { id } } } }
  }`
  const filter = { email: { contains: 'a' } }
  for (const turn of ['first', 'again']) {
    t.equal(await costOf(query), 10 + 7 * 12, turn)
    t.equal(await costOf(query, { n: 2 }), 10 + 2 * 12)
    t.equal(await costOf(query, { n: 2, m: 3, filter }), 10 + 2 * 5)
    t.equal(await costOf(query, { n: 2, m: 3 }), 10 + 2 * 5)
    t.equal(await costOf(query, { n: 2, m: null, on: false }), 10 + 2)
  }
  const two =
    'query A { contacts(first: 1) { nodes { id } } } query B { contacts(first: 2) { nodes { id } } }'
  for (const [operationName, cost] of [
    ['A', 11],
    ['B', 12],
    ['A', 11]
  ] as const) {
    const { body } = await call('POST', '/graphql', { query: two, operationName })
    t.equal(body.extensions.cost, cost, operationName)
  }
  const ids = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }'
  t.equal(await costOf(ids, { ids: ['01890000-0000-7000-8000-000000000000'] }), 11)
  t.equal(await costOf(ids, { ids: [] }), 10)
})

t.test('too much at once is refused before anything runs', async t => {
  const nested = (n: number) =>
    `{ contacts(first: ${n}) { nodes { deals(first: 200) { nodes { company { contacts(first: 2) { nodes { id } } } } } } } }`
  t.equal((await graphql(nested(10))).status, 200)
  const reply = await graphql(nested(200), {}, asked)
  isTooComplex(t, reply, /costs 200410, the limit is 50000/)
  t.match(reply.body.errors[0].extensions, { cost: 200410, limit: 50000 })
  const variable = nested(200).replace('first: 200', 'first: $n').replace('{', 'query ($n: Int) {')
  t.equal((await graphql(variable, { n: 10 }, asked)).status, 200)
  isTooComplex(t, await graphql(variable, { n: 200 }, asked), /costs 200410/)
  const create = `mutation { createContact(input: { firstName: "never" }) {
    contact { company { deals(first: 200) { nodes { company { contacts(first: 200) { nodes { company { id } } } } } } } }
  } }`
  isTooComplex(t, await graphql(create, {}, asked), /costs/)
  t.equal((await call('GET', '/v1/contacts?firstName=never&count=true')).body.page.totalCount, 0)
  const figures = Array.from(
    { length: 51 },
    (_, i) => `f${i}: metrics { funnel { value { outcome { won } } } }`
  )
  isTooComplex(t, await graphql(`{ ${figures.join(' ')} }`, {}, asked), /costs 51000/)
  const plain = await graphql(nested(200))
  t.match(plain, { status: 200, body: { errors: [{ extensions: { code: 'too_complex' } }] } })
})

const lists = (levels: number, inner = '{ id }'): string =>
  levels === 0 ? inner : `{ contacts(first: 1) { edges { node { company ${lists(levels - 1, inner)} } } } }`

t.test('depth', async t => {
  const deep = `{ companies(first: 1) { nodes ${lists(6)} } }`
  t.equal((await graphql(deep, {}, asked)).status, 200, 'six lists in each other')
  isTooComplex(t, await graphql(`{ companies(first: 1) { nodes ${lists(7)} } }`, {}, asked), /at most 30/)
  const spread = `{ companies(first: 1) { nodes { ...A } } }
    fragment A on Company ${lists(3, '{ ...B }')} fragment B on Company ${lists(4)}`
  isTooComplex(t, await graphql(spread, {}, asked), /these are 31/)
})

t.test('aliases', async t => {
  const aliases = (n: number) => Array.from({ length: n }, (_, i) => `a${i}: __typename`).join(' ')
  t.equal((await graphql(`{ ${aliases(100)} }`, {}, asked)).status, 200)
  for (const count of [101, 1000, 3000])
    isTooComplex(t, await graphql(`{ ${aliases(count)} }`, {}, asked), /at most 100 aliases/)
  const hidden = `{ ...F } fragment F on Query { ${aliases(101)} }`
  isTooComplex(t, await graphql(hidden, {}, asked), /at most 100 aliases/)
})

t.test('tokens, and fragments that multiply', async t => {
  isTooComplex(t, await graphql(`{ ${'id '.repeat(10_000)} }`, {}, asked), /at most 10000 tokens/)
  const levels = Array.from(
    { length: 25 },
    (_, i) => `fragment F${i} on Company { parent { ...F${i + 1} ...F${i + 1} } }`
  )
  const multiplied = `{ companies(first: 1) { nodes { ...F0 } } } ${levels.join(' ')} fragment F25 on Company { id }`
  const begin = performance.now()
  isTooComplex(t, await graphql(multiplied, {}, asked), /too large to be counted/)
  t.ok(performance.now() - begin < 2000)
})

t.test('the usual tools can ask for the schema', async t => {
  const full = getIntrospectionQuery({
    descriptions: true,
    specifiedByUrl: true,
    directiveIsRepeatable: true,
    schemaDescription: true,
    inputValueDeprecation: true,
    oneOf: true
  })
  const { status, body } = await graphql(full, {}, asked)
  t.match({ status, body }, { status: 200, body: { data: { __schema: { queryType: { name: 'Query' } } } } })
  t.equal(body.extensions.cost, 0)
  const circle = (n: number): string => (n === 0 ? 'name' : `ofType { ${circle(n - 1)} }`)
  const reply = await graphql(`{ __type(name: "Query") { fields { type { ${circle(40)} } } } }`, {}, asked)
  isTooComplex(t, reply, /of introspection/)
})

t.test('a list of requests is refused', async t => {
  const batch = [{ query: '{ me { actorType } }' }, { query: '{ me { actorType } }' }]
  const { status, body } = await call('POST', '/graphql', batch)
  t.match({ status, body }, { status: 400, body: { code: 'invalid_input', errors: [{ pointer: '' }] } })
})
