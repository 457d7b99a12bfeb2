import { ApolloClient, CombinedGraphQLErrors, HttpLink, InMemoryCache } from '@apollo/client'
import { relayStylePagination } from '@apollo/client/utilities'
import { filter, firstValueFrom } from 'rxjs'
import type { Test } from 'tap'
import {
  AnyRecordDocument,
  ContactPageDocument,
  CreatePersonDocument,
  UpdatePersonDocument,
  type ContactPageQuery
} from '../generated/graphql/graphql.js'
import { people, type Server } from './server.js'

const names = (data: ContactPageQuery) => data.contacts.edges.map(edge => edge.node.lastName)

export default async function apollo(t: Test, { origin, key }: Server): Promise<void> {
  const client = new ApolloClient({
    link: new HttpLink({ uri: `${origin}/graphql`, headers: { authorization: `Bearer ${key}` } }),
    cache: new InMemoryCache({
      typePolicies: { Query: { fields: { contacts: relayStylePagination(['filter', 'orderBy']) } } }
    })
  })
  t.teardown(() => client.stop())

  await t.test('pages by cursor', async t => {
    const query = client.watchQuery({ query: ContactPageDocument, variables: { first: 2 } })
    const complete = query.pipe(filter(({ dataState }) => dataState === 'complete'))
    const first = await firstValueFrom(complete)
    const watching = query.subscribe(() => undefined)
    t.match(first.data?.contacts, { totalCount: 5, pageInfo: { hasNextPage: true, hasPreviousPage: false } })
    let page = first.data?.contacts?.pageInfo
    while (page?.hasNextPage) {
      const { data } = await query.fetchMore({ variables: { after: page.endCursor } })
      page = data?.contacts.pageInfo
    }
    const all = client.readQuery({ query: ContactPageDocument, variables: { first: 2 } })
    t.same(all && names(all), people, 'the pages are one list')
    watching.unsubscribe()
  })

  await t.test('the cache knows a record by its id', async t => {
    const page = client.readQuery({ query: ContactPageDocument, variables: { first: 2 } })
    const id = page?.contacts.edges[0]?.node.id ?? ''
    await client.mutate({ mutation: UpdatePersonDocument, variables: { input: { id, lastName: 'Abedin' } } })
    const again = client.readQuery({ query: ContactPageDocument, variables: { first: 2 } })
    t.equal(again?.contacts.edges[0]?.node.lastName, 'Abedin')
    const { data } = await client.query({ query: AnyRecordDocument, variables: { id } })
    t.same(data?.node, { __typename: 'Contact', id, lastName: 'Abedin' })
    await client.mutate({ mutation: UpdatePersonDocument, variables: { input: { id, lastName: 'Ahmed' } } })
  })

  await t.test('errors are shown', async t => {
    const wrong = await client
      .mutate({ mutation: CreatePersonDocument, variables: { input: { email: 'no address' } } })
      .catch((error: unknown) => error)
    if (!CombinedGraphQLErrors.is(wrong)) return t.fail('not an error of GraphQL')
    t.match(wrong.errors[0]?.extensions, { code: 'invalid_input', errors: [{ pointer: '/email' }] })
    const refused = await client
      .query({ query: ContactPageDocument, variables: { first: 2, filter: { companyId: { eq: 'x' } } } })
      .catch((error: unknown) => error)
    if (!CombinedGraphQLErrors.is(refused)) return t.fail('not an error of GraphQL')
    t.match(refused.errors[0]?.extensions, {
      code: 'invalid_input',
      errors: [{ pointer: '/filter/companyId/eq' }]
    })
  })
}
