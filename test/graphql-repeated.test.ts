import t from 'tap'
import { testApp } from './helpers/app.js'

// What is known of a document is kept after its first run: what it answers and does must not depend on it.
t.test('the same document, again and again', async t => {
  const program = await testApp(t)
  const { graphql, call } = program
  const thrice = async (run: (turn: number) => Promise<unknown>) => {
    for (const turn of [1, 2, 3]) await run(turn)
  }

  await t.test('the operation that is named runs, and a GET writes nothing', async t => {
    await call('POST', '/v1/companies', { name: 'One' })
    const both =
      'query A { companies(first: 1) { nodes { name } } } query B { contacts(first: 1) { totalCount } }'
    const run = (operationName: string) => call('POST', '/graphql', { query: both, operationName })
    await thrice(async () =>
      t.match((await run('A')).body, { data: { companies: { nodes: [{ name: 'One' }] } } })
    )
    await thrice(async () => t.same((await run('B')).body.data, { contacts: { totalCount: 0 } }))

    const mixed =
      'mutation M { createCompany(input: { name: "viaGET" }) { created } } query Q { me { rowScope } }'
    await thrice(async () => {
      const { body } = await call('POST', '/graphql', { query: mixed, operationName: 'M' })
      t.same(body.data, { createCompany: { created: true } })
    })
    const url = `/graphql?operationName=Q&query=${encodeURIComponent(mixed)}`
    t.same((await call('GET', url)).body.data, { me: { rowScope: 'ALL' } })
    t.equal((await call('GET', '/v1/companies?name=viaGET&count=true')).body.page.totalCount, 3)
  })

  await t.test('an absent variable leaves the field alone', async t => {
    const made = await call('POST', '/v1/contacts', { jobTitle: 'boss', address: { city: 'Sylhet' } })
    const query = `mutation ($id: ID!, $t: String, $c: String) {
      updateContact(input: { id: $id, jobTitle: $t, address: { city: $c } }) {
        contact { jobTitle version address { city } }
      } }`
    await thrice(async () => {
      const { body } = await graphql(query, { id: made.body.id })
      t.same(body.data.updateContact.contact, { jobTitle: 'boss', version: 1, address: { city: 'Sylhet' } })
    })
  })

  await t.test('variables given, absent, null and with defaults mean the same every time', async t => {
    for (const name of ['Able', 'Baker', 'Charlie']) await call('POST', '/v1/companies', { name })
    const query = `query ($n: Int = 2, $order: CompanyOrderBy, $after: String, $need: Int! = 1, $f: CompanyFilter) {
      some: companies(first: $n, orderBy: $order, after: $after) { nodes { name } pageInfo { endCursor } }
      one: companies(first: $need, filter: $f) { nodes { name } }
    }`
    const plain = `query ($n: Int, $order: CompanyOrderBy = NAME_DESC, $after: String) {
      some: companies(first: $n, orderBy: $order, after: $after) { nodes { name } pageInfo { endCursor } } }`
    const names = ({ data }: Awaited<ReturnType<typeof graphql>>['body']) =>
      (data.some.nodes as { name: string }[]).map(n => n.name)
    await thrice(async () => {
      const { body } = await graphql(query, { order: 'NAME_ASC', f: { name: { eq: 'Baker' } } })
      t.same([names(body), body.data.one.nodes], [['Able', 'Baker'], [{ name: 'Baker' }]])
    })
    await thrice(async () => t.match(names((await graphql(plain, {})).body)[0], 'viaGET'))
    await thrice(async () => {
      const first = await graphql(plain, { n: 1, order: 'NAME_ASC', after: null })
      const after = first.body.data.some.pageInfo.endCursor as string
      const next = await graphql(plain, { n: 1, order: 'NAME_ASC', after })
      t.same([...names(first.body), ...names(next.body)], ['Able', 'Baker'])
    })
    await thrice(async () => {
      const { body } = await graphql(plain, { n: '1' })
      t.match(body, { errors: [{ extensions: { code: 'invalid_input', errors: [{ pointer: '/first' }] } }] })
      t.match((await graphql(plain, { n: 0 })).body, { errors: [{ extensions: { code: 'invalid_input' } }] })
    })
  })

  await t.test('later fields of a mutation see what earlier ones wrote', async t => {
    const company = (await call('POST', '/v1/companies', { name: 'Before' })).body.id as string
    const contact = (await call('POST', '/v1/contacts', { companyId: company })).body.id as string
    const query = `mutation ($k: ID!, $p: ID!, $name: String!, $title: String!) {
      a: updateContact(input: { id: $p, jobTitle: $title }) { contact { company { name contacts { totalCount } } } }
      b: updateCompany(input: { id: $k, name: $name }) { company { name } }
      n: createContact(input: { companyId: $k }) { created }
      c: updateContact(input: { id: $p, lastName: $title }) { contact { company { name contacts { totalCount } } } }
    }`
    await thrice(async turn => {
      const { body } = await graphql(query, {
        k: company,
        p: contact,
        name: `After ${turn}`,
        title: `T${turn}`
      })
      t.same(body.data.c.contact.company, { name: `After ${turn}`, contacts: { totalCount: turn + 1 } })
    })
  })

  await t.test('directives hold, also above fragments', async t => {
    const query = `query ($f: Boolean!) { companies(first: 1) { nodes { id
      ... on Company @skip(if: $f) { contacts { ...Count } } } } }
      fragment Count on ContactConnection { totalCount }`
    await thrice(async () => {
      const { body } = await graphql(query, { f: true })
      t.same(Object.keys(body.data.companies.nodes[0] as object), ['id'])
    })
  })

  await t.test('after a failed field of a mutation the rest does not run', async t => {
    const query = `mutation {
      a: createCompany(input: { name: "first of three" }) { created }
      b: createCompany(input: { name: "x", parentId: "018f0000-0000-7000-8000-000000000000" }) { created }
      c: createCompany(input: { name: "last of three" }) { created } }`
    await thrice(async () => {
      const { body } = await graphql(query)
      t.match(body, { data: null, errors: [{ path: ['b'], extensions: { code: 'unknown_reference' } }] })
    })
    t.equal((await call('GET', '/v1/companies?name=last of three&count=true')).body.page.totalCount, 0)
  })

  await t.test('a subscription is refused as the client’s fault', async t => {
    const { body } = await graphql('subscription { events { id } }')
    t.match(body, { errors: [{ extensions: { code: 'bad_request' } }] })
  })

  await t.test(
    'an event of a change always says what was before, if only nothing that is public',
    async t => {
      const user = await call('POST', '/v1/users', {
        email: 'a@example.com',
        name: 'A',
        password: 'long enough 1'
      })
      await call('PUT', `/v1/users/${user.body.id}/password`, { password: 'long enough 2' })
      const { body } = await call('GET', '/v1/events?types=user.password_changed')
      t.same(body.data[0].previous, {})
    }
  )

  await t.test('a stage in use keeps its kind; a key takes known scopes and a future', async t => {
    const pipeline = await call('POST', '/v1/pipelines', { name: 'P', stages: [{ name: 'A' }] })
    const stage = (await call('GET', `/v1/stages?pipelineId[eq]=${pipeline.body.id}`)).body.data[0]
      .id as string
    await call('POST', '/v1/deals', { name: 'D', stageId: stage })
    t.match(await call('PATCH', `/v1/stages/${stage}`, { kind: 'won' }), {
      status: 409,
      body: { code: 'in_use' }
    })
    t.equal((await call('PATCH', `/v1/stages/${stage}`, { kind: 'open', name: 'B' })).status, 200)
    const misspelt = await call('POST', '/v1/api-keys', { name: 'k', scopes: ['contactz:read'] })
    t.match(misspelt, { status: 400, body: { detail: /Did you mean contacts:read/ } })
    const past = await call('POST', '/v1/api-keys', {
      name: 'k',
      scopes: ['admin'],
      expiresAt: '2020-01-01T00:00:00Z'
    })
    t.match(past, { status: 422, body: { errors: [{ pointer: '/expiresAt', code: 'past' }] } })
  })

  await t.test('a company is not its own parent', async t => {
    const { body } = await call('POST', '/v1/companies', { name: 'Self' })
    const refused = await call('PATCH', `/v1/companies/${body.id}`, { parentId: body.id })
    t.match(refused, { status: 422, body: { errors: [{ pointer: '/parentId', code: 'self_reference' }] } })
  })

  await t.test('a position that the feed never gave is refused', async t => {
    const { status, body } = await call('GET', '/v1/events?after=999999999')
    t.match(
      { status, body },
      { status: 422, body: { errors: [{ parameter: 'after', code: 'beyond_head' }] } }
    )
  })
})
