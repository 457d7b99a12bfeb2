import {
  commitMutation,
  Environment,
  fetchQuery,
  Network,
  RecordSource,
  Store,
  type GraphQLResponse
} from 'relay-runtime'
import type { Test } from 'tap'
import pageQuery, {
  type relayDocumentsPageQuery
} from '../generated/relay/relayDocumentsPageQuery.graphql.js'
import renameMutation, {
  type relayDocumentsRenameMutation
} from '../generated/relay/relayDocumentsRenameMutation.graphql.js'
import { people, type Server } from './server.js'

export default async function relay(t: Test, { origin, key }: Server): Promise<void> {
  const environment = new Environment({
    store: new Store(new RecordSource()),
    network: Network.create(async ({ text: query }, variables): Promise<GraphQLResponse> => {
      const answer = await fetch(`${origin}/graphql`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query, variables })
      })
      return JSON.parse(await answer.text())
    })
  })
  const page = (after?: string | null) =>
    fetchQuery<relayDocumentsPageQuery>(environment, pageQuery, { first: 2, after }).toPromise()
  const rename = (id: string, lastName: string) =>
    new Promise<void>((resolve, reject) => {
      commitMutation<relayDocumentsRenameMutation>(environment, {
        mutation: renameMutation,
        variables: { input: { id, lastName } },
        onCompleted: () => resolve(),
        onError: reject
      })
    })

  await t.test('pages by cursor', async t => {
    let data = await page()
    while (data?.contacts.pageInfo.hasNextPage) data = await page(data.contacts.pageInfo.endCursor)
    t.same(
      data?.contacts.edges.map(edge => edge.node.lastName),
      people,
      'the pages are one list'
    )
  })

  await t.test('the store knows a record by its id', async t => {
    const id = (await page())?.contacts.edges[0]?.node.id ?? ''
    await rename(id, 'Abedin')
    t.equal(environment.getStore().getSource().get(id)?.lastName, 'Abedin')
    await rename(id, 'Ahmed')
  })

  await t.test('errors are shown', async t => {
    await t.rejects(rename('no id', 'x'), /id/)
  })
}
