import { Client, fetchExchange } from '@urql/core'
import { cacheExchange, type CacheExchangeOpts } from '@urql/exchange-graphcache'
import { relayPagination } from '@urql/exchange-graphcache/extras'
import type { Test } from 'tap'
import {
  AnyRecordDocument,
  ContactPageDocument,
  CreatePersonDocument,
  UpdatePersonDocument
} from '../generated/graphql/graphql.js'
import { people, type Server } from './server.js'

export default async function urql(t: Test, { origin, key }: Server): Promise<void> {
  const introspection = await fetch(`${origin}/graphiql/schema.json`)
  const schema: CacheExchangeOpts['schema'] = JSON.parse(await introspection.text())
  const client = new Client({
    url: `${origin}/graphql`,
    preferGetMethod: false,
    fetchOptions: { headers: { authorization: `Bearer ${key}` } },
    exchanges: [
      cacheExchange({
        schema,
        keys: { Address: () => null },
        resolvers: { Query: { contacts: relayPagination() } }
      }),
      fetchExchange
    ]
  })
  const page = (after?: string | null) =>
    client.query(ContactPageDocument, { first: 2, ...(after && { after }) }).toPromise()

  await t.test('pages by cursor', async t => {
    let { data, error } = await page()
    t.equal(error, undefined)
    t.match(data?.contacts, { totalCount: 5, pageInfo: { hasNextPage: true } })
    for (let after = data?.contacts.pageInfo.endCursor; data?.contacts.pageInfo.hasNextPage;) {
      ;({ data, error } = await page(after))
      t.equal(error, undefined)
      after = data?.contacts.pageInfo.endCursor
    }
    t.same(
      data?.contacts.edges.map(edge => edge.node.lastName),
      people,
      'the pages are one list'
    )
  })

  await t.test('the cache knows a record by its id', async t => {
    const id = (await page()).data?.contacts.edges[0]?.node.id ?? ''
    const rename = (lastName: string) =>
      client.mutation(UpdatePersonDocument, { input: { id, lastName } }).toPromise()
    t.equal((await rename('Abedin')).error, undefined)
    const cached = client.readQuery(ContactPageDocument, { first: 2 })
    t.equal(cached?.data?.contacts.edges[0]?.node.lastName, 'Abedin')
    const { data } = await client.query(AnyRecordDocument, { id }).toPromise()
    t.match(data?.node, { __typename: 'Contact', id, lastName: 'Abedin' })
    await rename('Ahmed')
  })

  await t.test('errors are shown', async t => {
    const wrong = await client.mutation(CreatePersonDocument, { input: { email: 'no address' } }).toPromise()
    t.match(wrong.error?.graphQLErrors[0]?.extensions, {
      code: 'invalid_input',
      errors: [{ pointer: '/email' }]
    })
    const filter = { companyId: { eq: 'x' } }
    const refused = await client.query(ContactPageDocument, { first: 2, filter }).toPromise()
    t.match(refused.error?.graphQLErrors[0]?.extensions, {
      code: 'invalid_input',
      errors: [{ pointer: '/filter/companyId/eq' }]
    })
  })
}
