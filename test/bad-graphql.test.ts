import t, { type Test } from 'tap'
import { testApp, type Reply } from './helpers/app.js'
import { isProblem, namesFault, tellsNothing, type Expected } from './helpers/problems.js'
import type { ErrorItem } from '../src/kernel/errors.js'

const { call, graphql } = await testApp(t)

const path = '/graphql'
const asked = { accept: 'application/graphql-response+json' }
const uuid = '01890000-0000-7000-8000-000000000000'
const create = 'mutation ($input: CreateContactInput!) { createContact(input: $input) { contact { id } } }'
const search = 'query ($filter: ContactFilter) { contacts(filter: $filter) { nodes { id } } }'

/** Asserts that an answer is one of GraphQL with an error of this code, naming this field. */
function isGraphQLError(t: Test, reply: Reply, expected: Expected): void {
  t.equal(reply.status, expected.status, 'status')
  const errors = reply.body.errors as {
    message: string
    extensions: { code: string; errors?: ErrorItem[] }
  }[]
  if (!errors) return t.fail('no errors') as unknown as void
  for (const { message, extensions } of errors) {
    t.match(message, /./)
    t.match(extensions, { code: /^[a-z_]+$/, status: Number })
  }
  if (expected.code !== undefined) t.equal(errors[0]!.extensions.code, expected.code, 'code')
  namesFault(
    t,
    errors.flatMap(e => e.extensions.errors ?? []),
    expected
  )
  tellsNothing(t, reply.text)
}

t.test('requests that are none', async t => {
  const bodies: [string, unknown, Partial<Expected>][] = [
    ['a number for the query', { query: 1 }, { pointer: '/query' }],
    ['no query', {}, { pointer: '/query' }],
    ['an empty query', { query: '' }, { pointer: '/query' }],
    ['null', null, { pointer: '' }],
    ['a batch', [{ query: '{ me { actorType } }' }], { pointer: '' }],
    ['text', '"{ me { actorType } }"', { pointer: '' }],
    ['nothing', '', { pointer: '' }],
    ['truncated', '{"query":"{ me', { code: 'invalid_json' }],
    [
      '__proto__ in variables',
      '{"query":"{ me { actorType } }","variables":{"__proto__":1}}',
      { code: 'invalid_json' }
    ],
    ['a list of variables', { query: '{ me { actorType } }', variables: [] }, { pointer: '/variables' }],
    ['text as variables', { query: '{ me { actorType } }', variables: '{}' }, { pointer: '/variables' }],
    ['a number as name', { query: '{ me { actorType } }', operationName: 1 }, { pointer: '/operationName' }],
    [
      'an unknown member',
      { query: '{ me { actorType } }', varables: {} },
      { pointer: '/varables', says: /variables/ }
    ],
    ['a long query', { query: '#'.repeat(100_001) }, { pointer: '/query' }],
    [
      'NUL',
      { query: create, variables: { input: { firstName: '\0' } } },
      { pointer: '/variables/input/firstName' }
    ],
    [
      'deep variables',
      `{"query":"{ me { actorType } }","variables":${'{"a":'.repeat(1e5)}1${'}'.repeat(1e5)}}`,
      {}
    ]
  ]
  for (const [name, body, expected] of bodies) {
    await t.test(name, async t => {
      const raw = typeof body === 'string' ? body : JSON.stringify(body)
      for (const accept of ['*/*', asked.accept]) {
        const reply = await call('POST', path, raw, { 'content-type': 'application/json', accept })
        isProblem(t, reply, { status: 400, ...expected }, path)
      }
    })
  }
})

const ask = (parameters: Record<string, string>) =>
  call('GET', `${path}?${new URLSearchParams(parameters).toString()}`)

t.test('GET', async t => {
  const query = '{ me { actorType } }'
  isProblem(t, await ask({}), { status: 400, parameter: 'query' }, path)
  isProblem(t, await ask({ query, variables: '{' }), { status: 400, parameter: 'variables' }, path)
  isProblem(t, await ask({ query, variables: '[]' }), { status: 400, parameter: 'variables' }, path)
  isProblem(t, await ask({ query, exstensions: '{}' }), { status: 400, parameter: 'exstensions' }, path)
  isProblem(t, await call('GET', `${path}?query=a&query=b`), { status: 400, parameter: 'query' }, path)
  const mutation = await ask({ query: 'mutation { createContact(input: {}) { contact { id } } }' })
  isProblem(t, mutation, { status: 405, code: 'method_not_allowed' }, path)
  t.equal(mutation.headers.allow, 'POST')
  t.match(
    (await call('GET', '/v1/contacts?count=true')).body,
    { page: { totalCount: 0 } },
    'nothing was written'
  )
  t.match(await ask({ query, variables: '{"__proto__":{"a":1}}' }), { status: 200 })
  t.match(await ask({ query }), { status: 200, body: { data: { me: { actorType: 'KEY' } } } })
})

t.test('documents', async t => {
  const bad: [string, string, Partial<Expected>][] = [
    ['a syntax error', '{ me { ', { code: 'bad_request' }],
    ['words', 'select * from contacts', { code: 'bad_request' }],
    ['NUL in escapes', '{ a(b: "\\u0000") }', {}],
    ['10,000 open braces', '{a'.repeat(5001), { code: 'too_complex' }],
    ['9,000 lists in each other', `{ node(id: ${'['.repeat(4400)}1${']'.repeat(4400)}) { id } }`, {}],
    ['an unknown field', '{ me { actorTpye } }', { code: 'invalid_input' }],
    ['an unknown argument', '{ contacts(frist: 1) { nodes { id } } }', { code: 'invalid_input' }],
    ['a circle of fragments', '{ ...A } fragment A on Query { ...A }', { code: 'invalid_input' }],
    [
      'two operations and no name',
      'query A { me { actorType } } query B { me { actorType } }',
      { code: 'bad_request' }
    ],
    ['a mutation without selection', 'mutation { createContact(input: {}) }', { code: 'invalid_input' }]
  ]
  for (const [name, query, expected] of bad) {
    await t.test(name, async t => {
      isGraphQLError(t, await graphql(query), { status: 200, ...expected })
      const reply = await graphql(query, {}, asked)
      isGraphQLError(t, reply, { status: 400, ...expected })
      t.match(reply.headers['content-type'], /^application\/graphql-response\+json/)
    })
  }
  const named = await call('POST', path, { query: 'query A { me { actorType } }', operationName: 'B' }, asked)
  isGraphQLError(t, named, { status: 400, code: 'bad_request' })
})

type InputCase = [field: string, literal: string, value: unknown, pointer: string]

const inputs: InputCase[] = [
  ['an unknown field', 'firstNmae: "a"', { firstNmae: 'a' }, '/firstNmae'],
  ['a number for text', 'firstName: 5', { firstName: 5 }, '/firstName'],
  ['an unknown field inside', 'address: { citty: "a" }', { address: { citty: 'a' } }, '/address/citty'],
  ['text for an object', 'address: "a"', { address: 'a' }, '/address'],
  ['a choice there is not', 'lifecycleStage: NOPE', { lifecycleStage: 'NOPE' }, '/lifecycleStage'],
  ['a wrong value in a list', 'tags: ["a", 5]', { tags: ['a', 5] }, '/tags/1'],
  ['null in a list', 'tags: ["a", null]', { tags: ['a', null] }, '/tags/1'],
  [
    'half an external id',
    'externalIds: [{ source: "a", id: "1" }, { source: "b" }]',
    { externalIds: [{ source: 'a', id: '1' }, { source: 'b' }] },
    '/externalIds/1/id'
  ],
  ['a number for a day', 'birthDate: 5', { birthDate: 5 }, '/birthDate'],
  ['a day there is not', 'birthDate: "2026-02-30"', { birthDate: '2026-02-30' }, '/birthDate'],
  ['no e-mail', 'email: "a"', { email: 'a' }, '/email'],
  ['no UUID', 'companyId: "x"', { companyId: 'x' }, '/companyId'],
  ['a time zone there is not', 'timeZone: "Mars/X"', { timeZone: 'Mars/X' }, '/timeZone'],
  [
    'a wrong source',
    'externalIds: [{ source: "a b", id: "1" }]',
    { externalIds: [{ source: 'a b', id: '1' }] },
    '/externalIds/0/source'
  ],
  ['a custom field', 'customFields: { __proto__: 1 }', { customFields: { 'a b': 1 } }, '/customFields'],
  ['a list as custom field', 'customFields: { a: [1] }', { customFields: { a: [1] } }, '/customFields/a']
]

t.test('input is refused alike as variable, literal and by the kernel', async t => {
  for (const [name, literal, value, pointer] of inputs) {
    await t.test(name, async t => {
      const exact = name !== 'a custom field'
      const expected = { code: 'invalid_input', in: 'body', ...(exact && { pointer }) } as const
      const inDocument = `mutation { createContact(input: { ${literal} }) { contact { id } } }`
      isGraphQLError(t, await graphql(inDocument), { status: 200, ...expected })
      isGraphQLError(t, await graphql(create, { input: value }), { status: 200, ...expected })
      // What the types cannot say is found out while it runs; then there is data, if only null.
      const reply = await graphql(create, { input: value }, asked)
      isGraphQLError(t, reply, { status: reply.body.data === undefined ? 400 : 200, ...expected })
    })
  }
  const rest = await call('POST', '/v1/contacts', { email: 'a' })
  const here = await graphql(create, { input: { email: 'a' } })
  t.strictSame(here.body.errors[0].extensions.errors, rest.body.errors, 'the same items as over REST')
})

t.test('variables inside of literals', async t => {
  const fixed = `mutation ($email: String, $id: ID, $name: String) {
    createContact(input: { email: $email, companyId: $id, address: { city: $name } }) { contact { id } }
  }`
  isGraphQLError(t, await graphql(fixed, { email: 5 }), {
    status: 200,
    code: 'invalid_input',
    pointer: '/email'
  })
  isGraphQLError(t, await graphql(fixed, { name: {} }), {
    status: 200,
    code: 'invalid_input',
    pointer: '/address/city'
  })
  isGraphQLError(t, await graphql(fixed, { id: {} }), {
    status: 200,
    code: 'invalid_input',
    pointer: '/companyId'
  })
  const list = 'mutation ($tag: String!) { createContact(input: { tags: ["a", $tag] }) { contact { id } } }'
  isGraphQLError(t, await graphql(list, { tag: 5 }), {
    status: 200,
    code: 'invalid_input',
    pointer: '/tags/1'
  })
  isGraphQLError(t, await graphql(list), { status: 200, code: 'invalid_input', pointer: '/tags/1' })
  isGraphQLError(t, await graphql(create), { status: 200, code: 'invalid_input', pointer: '' })
})

t.test('arguments', async t => {
  const of: [string, string][] = [
    ['first: 0', '/first'],
    ['first: -1', '/first'],
    ['first: 1000000000', '/first'],
    ['first: 10000000000', '/first'],
    ['first: 1.5', '/first'],
    ['first: "1"', '/first'],
    ['first: 1, last: 1', '/last'],
    ['after: "x"', '/after'],
    ['before: ""', '/before'],
    ['orderBy: NOPE', '/orderBy'],
    ['filter: { nope: { eq: 1 } }', '/filter/nope'],
    ['filter: { email: { regex: "a" } }', '/filter/email/regex'],
    ['filter: { email: { eq: null } }', '/filter/email/eq'],
    [
      'filter: { and: [{ firstName: { eq: "a" } }, { companyId: { eq: "x" } }] }',
      '/filter/and/1/companyId/eq'
    ],
    ['filter: { email: { isNull: 1 } }', '/filter/email/isNull'],
    ['filter: { customFields: { toString: 1 } }', '/filter/customFields/toString']
  ]
  for (const [args, pointer] of of) {
    await t.test(args, async t => {
      const expected = { status: 200, code: 'invalid_input', pointer }
      isGraphQLError(t, await graphql(`{ contacts(${args}) { nodes { id } } }`), expected)
    })
  }
  const wrong = { filter: { and: [{}, { companyId: { eq: {} } }] } }
  isGraphQLError(t, await graphql(search, wrong), { status: 200, pointer: '/filter/and/1/companyId/eq' })
  isGraphQLError(t, await graphql('{ node(id: "x") { id } }'), {
    status: 200,
    code: 'invalid_input',
    pointer: '/id'
  })
  t.match((await graphql(`{ node(id: "${uuid}") { id } }`)).body, { data: { node: null } })
  const none = `mutation { updateContact(input: { id: "${uuid}" }) { contact { id } } }`
  isGraphQLError(t, await graphql(none), { status: 200, code: 'not_found' })
})

t.test('media types', async t => {
  const query = '{ me { actorType } }'
  const answered: [string, string | undefined][] = [
    ['*/*', 'application/json'],
    ['application/json', 'application/json'],
    ['application/*', 'application/json'],
    ['application/graphql-response+json', 'application/graphql-response+json'],
    [
      'application/graphql-response+json; charset=utf-8, application/json; q=0.9',
      'application/graphql-response+json'
    ],
    ['text/html', undefined],
    ['nonsense', undefined]
  ]
  for (const [accept, type] of answered) {
    const reply = await graphql(query, {}, { accept })
    if (type === undefined) isProblem(t, reply, { status: 406, code: 'not_acceptable' }, path)
    else t.match(reply, { status: 200, headers: { 'content-type': `${type}; charset=utf-8` } })
  }
  const plain = await call('POST', path, query, { 'content-type': 'application/graphql' })
  isProblem(t, plain, { status: 415, code: 'unsupported_media_type' }, path)
  isProblem(t, await call('POST', path, { query }, { authorization: 'x' }), { status: 401 }, path)
})
