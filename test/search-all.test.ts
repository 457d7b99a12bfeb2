import t from 'tap'
import { testApp } from './helpers/app.js'
import { isProblem } from './helpers/problems.js'
import { workspaceOf, type Json } from './helpers/workspace.js'

const kith = await testApp(t)
const { call, graphql } = kith

t.test('what cannot be searched for', async t => {
  const many = Array.from({ length: 11 }, (_, i) => `w${i}`).join(' ')
  const wrong: [string, string][] = [
    ['', 'minLength'],
    ['  ', 'required'],
    ['\ufeff', 'required'],
    ['a'.repeat(201), 'maxLength'],
    [many, 'too_many'],
    ['a\0b', 'invalid_text']
  ]
  for (const [text, code] of wrong) {
    const label = JSON.stringify(text.slice(0, 20))
    const encoded = encodeURIComponent(text)
    for (const [path, parameter] of [
      ['/v1/contacts?search', 'search'],
      ['/v1/search?q', 'q']
    ] as const) {
      // prettier-ignore
      const reply = await call('GET', `${path}=${encoded}`)
      isProblem(t, reply, { status: 400, code: 'invalid_input', in: 'query', parameter })
      t.equal(reply.body.errors[0].code, code, label)
    }
    const posted = await call('POST', '/v1/contacts/search', { search: text })
    isProblem(t, posted, { status: 400, code: 'invalid_input', in: 'body', pointer: '/search' })
    const fields: [string, string][] = [
      [`contacts(search: ${JSON.stringify(text)}) { nodes { id } }`, '/search'],
      [`search(q: ${JSON.stringify(text)}) { title }`, '/q']
    ]
    for (const [field, pointer] of fields) {
      const { body } = await graphql(`{ ${field} }`)
      const extensions = { code: 'invalid_input', status: 400, errors: [{ in: 'body', pointer, code }] }
      t.match(body.errors, [{ extensions }], `${label}, ${pointer}`)
    }
  }
  t.equal((await call('GET', `/v1/contacts?search=${encodeURIComponent('a'.repeat(200))}`)).status, 200)
  t.equal((await call('GET', `/v1/contacts?search=${encodeURIComponent(many.slice(0, -4))}`)).status, 200)
  isProblem(t, await call('GET', '/v1/search'), { status: 400, in: 'query', parameter: 'q' })
  isProblem(t, await call('GET', '/v1/search?q=abc&types=contakt'), { status: 400, in: 'query', parameter: 'types', says: /Did you mean contact\?/ }) // prettier-ignore
  isProblem(t, await call('GET', '/v1/search?q=abc&limit=51'), {
    status: 400,
    in: 'query',
    parameter: 'limit'
  })
  const { body } = await graphql('{ search(q: "abc", first: 0) { title } }')
  t.match(body.errors, [{ extensions: { errors: [{ pointer: '/first' }] } }])
})

async function searchable() {
  const world = await workspaceOf(kith, 'everything')
  const { make } = world
  const company = await make('companies', { name: 'Padma Textiles', domain: 'padma.example' })
  const pipeline = await make('pipelines', { name: 'Padma deals', stages: [{ name: 'New' }] })
  const { body } = await world.request('GET', `/v1/stages?pipelineId=${pipeline}`)
  const stageId = body.data[0].id as string
  const exact = await make('contacts', { firstName: 'Padma', email: 'p@other.example' })
  const part = await make('contacts', { firstName: 'Padma', lastName: 'Rao', phone: '+919876543210' })
  const nameless = await make('contacts', { email: 'sales@padma.example' })
  const deal = await make('deals', { name: 'Looms for Padma', stageId, companyId: company })
  return { ...world, company, pipeline, exact, part, nameless, deal }
}

t.test('all kinds at once', async t => {
  const { request, ask, ...ids } = await searchable()
  const hits = async (query: string) => (await request('GET', `/v1/search?${query}`)).body.data as Json[]
  const all = await hits('q=padma')
  t.same(
    all.map(h => [h.type, h.id, h.exact]),
    [
      ['contact', ids.exact, true],
      ['deal', ids.deal, false],
      ['contact', ids.nameless, false],
      ['contact', ids.part, false],
      ['pipeline', ids.pipeline, false],
      ['company', ids.company, false]
    ],
    'exact matches first, then the newest'
  )
  t.match(all, [
    { title: 'Padma', subtitle: 'p@other.example' },
    { title: 'Looms for Padma', subtitle: null },
    { title: 'sales@padma.example', subtitle: null },
    { title: 'Padma Rao', subtitle: '+919876543210' },
    { title: 'Padma deals' },
    { title: 'Padma Textiles', subtitle: 'padma.example' }
  ])
  for (const { type, id, record } of all) {
    const plural = type === 'company' ? 'companies' : `${type}s`
    t.same(record, (await request('GET', `/v1/${plural}/${id}`)).body, `${type}: the record as it is`)
  }
  t.same((await hits('q=padma&types=company,deal')).map(h => h.id), [ids.deal, ids.company]) // prettier-ignore
  t.same((await hits('q=padma&limit=1')).map(h => h.id), [ids.exact, ids.deal, ids.pipeline, ids.company]) // prettier-ignore
  for (const q of ['padma textiles', 'PADMA.example', '+91 98765 43210', 'Sales@Padma.example']) {
    const [first] = await hits(`q=${encodeURIComponent(q)}`)
    t.equal(first?.exact, true, `${q} is all of a text`)
  }
  t.equal((await hits('q=adma+text'))[0]!.exact, false)
  t.same(await hits('q=nothing'), [])
  const query = `query($q: String!, $types: [SearchType!], $first: Int) { search(q: $q, types: $types, first: $first) {
    type title subtitle exact record { id __typename
      ... on Contact { email } ... on Deal { name company { domain } pipeline { name } } ... on Company { name } } } }`
  const { body } = await ask(query, { q: 'padma', types: ['DEAL', 'CONTACT'], first: 1 })
  t.match(body, {
    data: {
      search: [
        {
          type: 'CONTACT',
          title: 'Padma',
          subtitle: 'p@other.example',
          exact: true,
          record: { id: ids.exact, __typename: 'Contact', email: 'p@other.example' }
        },
        {
          type: 'DEAL',
          title: 'Looms for Padma',
          subtitle: null,
          exact: false,
          record: {
            id: ids.deal,
            __typename: 'Deal',
            name: 'Looms for Padma',
            company: { domain: 'padma.example' },
            pipeline: { name: 'Padma deals' }
          }
        }
      ]
    }
  })
  const same = await ask('query($q: String!) { search(q: $q) { title exact record { id } } }', { q: 'padma' })
  t.same(
    (same.body.data.search as Json[]).map(h => h.record.id),
    all.map(h => h.id),
    'both surfaces find the same'
  )
  await request('DELETE', `/v1/contacts/${ids.exact}`)
  t.notOk((await hits('q=padma')).some(h => h.id === ids.exact), 'the bin is left out') // prettier-ignore
  t.same((await call('GET', '/v1/search?q=padma')).body, { data: [] }, 'nothing of another workspace')
})

t.test('only kinds that the credential may read', async t => {
  const { workspaceId, exact, part, nameless } = await searchable()
  const poor = { authorization: `Bearer ${await kith.newKey(['contacts:read'], workspaceId)}` }
  const { body } = await call('GET', '/v1/search?q=padma', undefined, poor)
  t.same((body.data as Json[]).map(h => h.id), [exact, nameless, part]) // prettier-ignore
  const forbidden = { code: 'forbidden', scope: 'deals:read' }
  t.match(await call('GET', '/v1/search?q=padma&types=contact,deal', undefined, poor), { status: 403, body: forbidden }) // prettier-ignore
  const graph = await graphql('{ search(q: "padma", types: [DEAL]) { title } }', {}, poor)
  t.match(graph.body.errors, [{ extensions: forbidden }])
  const nobody = { authorization: `Bearer ${await kith.newKey(['metrics:read'], workspaceId)}` }
  t.same((await call('GET', '/v1/search?q=padma', undefined, nobody)).body, { data: [] })
  t.equal((await call('GET', '/v1/search?q=padma', undefined, { authorization: '' })).status, 401)
})
