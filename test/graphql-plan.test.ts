import t from 'tap'
import { graphqlSchema } from '../src/surfaces/graphql.js'
import { Documents } from '../src/surfaces/graphql-validation.js'
import { declaredOperations } from '../src/operations.js'
import { testApp } from './helpers/app.js'

const documents = new Documents(graphqlSchema(declaredOperations()))

function planFor(query: string) {
  const checked = documents.check(query)
  if ('errors' in checked) throw checked.errors[0]!
  return checked.plan()
}

// A directive that changes nothing has the executor run a document instead of its plan.
const always = '@include(if: true)'

t.test('a planned document answers what an executor does', async t => {
  const { call, graphql, newKey } = await testApp(t)
  const made = async (path: string, body: object) => {
    const answer = await call('POST', `/v1/${path}`, body)
    if (answer.status !== 201) throw new Error(answer.text)
    return answer.body.id as string
  }

  const company = await made('companies', { name: 'Söhne & "Co" \\ \u2028 রহিম', domain: 'one.example' })
  const address = { line1: 'Street "1"', city: 'Sylhet' }
  const ann = await made('contacts', { firstName: 'Ann', companyId: company, address, tags: ['a"b', 'c'] })
  const bob = await made('contacts', {
    firstName: 'Bob',
    lifecycleStage: 'retention',
    birthDate: '1990-02-03'
  })
  const custom = await made('contacts', { customFields: { n: 1.5, yes: true, text: '"' } })
  const pipeline = await made('pipelines', { name: 'P', stages: [{ name: 'A' }] })
  const stage = (await call('GET', `/v1/stages?pipelineId[eq]=${pipeline}`)).body.data[0].id as string
  for (const name of ['First', 'Second', 'Third']) {
    const contacts = [{ contactId: ann }, { contactId: bob }]
    await made('deals', { name, stageId: stage, amount: '12.50', currency: 'EUR', contacts })
  }
  await made('deals', { name: 'Alone', stageId: stage, primaryContactId: bob })

  const planned: [query: string, variables?: object][] = [
    [
      '{ contacts DIR { nodes { id firstName company { id name } deals(first: 2) { nodes { id amount } } } } }'
    ],
    [
      '{ contacts(orderBy: CREATED_AT_ASC) DIR { nodes { deals { nodes { name primaryContact { firstName } } } } } }'
    ],
    [
      '{ b: contacts(first: 2) DIR { __typename edges { cursor node { __typename x: id } } pageInfo { hasNextPage endCursor } } }'
    ],
    [
      '{ contacts(last: 1) DIR { pageInfo { hasPreviousPage startCursor } } companies { nodes { name } } __typename }'
    ],
    [
      `{ a: contact(id: "${ann}") DIR { address { city line1 } tags } none: contact(id: "${company}") { id } }`
    ],
    [
      `{ contact(id: "${bob.toUpperCase()}") DIR { lifecycleStage birthDate createdAt version customFields } }`
    ],
    [
      `{ contact(id: "${custom}") DIR { customFields address { city } company { name } externalIds { source id } } }`
    ],
    ['{ leads DIR { nodes { id contact { id } } edges { cursor } } }'],
    [
      'query ($n: Int = 2, $f: ContactFilter) { contacts(first: $n, filter: $f) DIR { nodes { firstName } } }'
    ],
    [
      'query ($n: Int, $f: ContactFilter) { contacts(first: $n, filter: $f) DIR { nodes { firstName } } }',
      { n: 1 }
    ],
    [
      'query ($f: ContactFilter) { contacts(filter: $f) DIR { nodes { firstName } } }',
      { f: { lifecycleStage: { eq: 'RETENTION' } } }
    ],
    [
      `{ contacts DIR { nodes { ...Of } nodes { company { name } } } }
       fragment Of on Contact { id company { id ... on Company { domain } } }`
    ]
  ]
  // What a plan gives up while it runs, for the executor to say it.
  const refused: [query: string, variables?: object][] = [
    ['{ contacts(first: 0) DIR { nodes { id } } companies { nodes { id } } }'],
    ['{ contact(id: "no id") DIR { id } }'],
    ['{ contacts(after: "nowhere") DIR { nodes { id } } }'],
    ['{ contacts DIR { nodes { id deals(first: 500) { nodes { id } } } } }'],
    ['query ($n: Int!) { contacts(first: $n) DIR { nodes { id } } }', { n: 900 }]
  ]
  const limited = { authorization: `Bearer ${await newKey(['contacts:read'])}` }
  for (const [query, variables] of [...planned, ...refused]) {
    const [bare, conditional] = [query.replace('DIR', ''), query.replace('DIR', always)]
    t.type(planFor(bare), 'function', `planned: ${bare}`)
    t.equal(planFor(conditional), undefined)
    const [a, b] = [await graphql(bare, variables), await graphql(conditional, variables)]
    t.equal(a.text, b.text)
    t.equal(a.headers['content-type'], b.headers['content-type'])
    t.equal(
      (await graphql(bare, variables, limited)).text,
      (await graphql(conditional, variables, limited)).text
    )
  }
  for (const [query, variables] of planned)
    t.notOk((await graphql(query.replace('DIR', ''), variables)).body.errors)
})

t.test('what is more than to look up records is left to an executor', async t => {
  const others = [
    '{ me { rowScope } }',
    '{ contacts { totalCount } }',
    '{ nodes(ids: []) { id } }',
    '{ contacts { nodes { ... on Node { id } } } }',
    '{ deals { nodes { contacts { contact { id } } } } }',
    'query A { contacts { nodes { id } } } query B { companies { nodes { id } } }',
    'mutation { createCompany(input: { name: "x" }) { created } }',
    '{ contacts { nodes { id @skip(if: false) } } }'
  ]
  for (const query of others) {
    t.equal(planFor(query), undefined, query)
  }
})
