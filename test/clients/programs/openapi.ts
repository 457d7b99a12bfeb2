import createClient from 'openapi-fetch'
import type { Test } from 'tap'
import type { components, paths } from '../generated/openapi.js'
import { people, type Server } from './server.js'

type Contact = components['schemas']['Contact']

export default async function openapi(t: Test, { origin, key }: Server): Promise<void> {
  const client = createClient<paths>({
    baseUrl: origin,
    headers: { authorization: `Bearer ${key}` },
    querySerializer: { array: { style: 'form', explode: false } }
  })

  await t.test('pages by cursor', async t => {
    const all: Contact[] = []
    let after: string | null | undefined
    do {
      const { data, error } = await client.GET('/v1/contacts', {
        params: { query: { limit: 2, sort: 'lastName', ...(after && { after }) } }
      })
      if (error) throw new Error(error.detail)
      all.push(...data.data)
      after = data.page.nextCursor
    } while (after)
    t.same(
      all.map(contact => contact.lastName),
      people
    )
  })

  await t.test('filters, includes and chosen fields', async t => {
    const { data } = await client.GET('/v1/contacts', {
      params: {
        query: { 'lastName[in]': ['Ahmed', 'Das'], include: ['company'], fields: ['lastName'], count: true }
      }
    })
    t.equal(data?.page.totalCount, 2)
    const { data: found } = await client.POST('/v1/contacts/search', {
      body: { filter: { or: [{ lastName: { eq: 'Das' } }, { email: { isNull: false } }] } }
    })
    t.same(
      found?.data.map(contact => contact.lastName),
      ['Das']
    )
  })

  await t.test('a write, its version and its errors', async t => {
    const made = await client.POST('/v1/companies', {
      body: { name: 'Acme', annualRevenue: '12.5', currency: 'EUR' }
    })
    if (made.error) throw new Error(made.error.detail)
    const { id, version } = made.data
    const path = { id }
    const etag = made.response.headers.get('etag') ?? ''
    t.equal(etag, `"${version}"`)
    const renamed = await client.PATCH('/v1/companies/{id}', {
      params: { path, header: { 'If-Match': etag } },
      body: { name: 'Acme & Sons', address: { city: 'Dhaka' } }
    })
    t.equal(renamed.data?.address?.city, 'Dhaka')
    const stale = await client.PATCH('/v1/companies/{id}', {
      params: { path, header: { 'If-Match': etag } },
      body: { name: 'Late' }
    })
    t.match(stale.error, { code: 'version_mismatch', status: 412 })
    const wrong = await client.POST('/v1/companies', { body: { name: 'x', country: 'Nowhere' } })
    t.equal(wrong.error?.errors?.[0]?.pointer, '/country')
    t.equal((await client.DELETE('/v1/companies/{id}', { params: { path } })).response.status, 204)
    t.equal((await client.GET('/v1/companies/{id}', { params: { path } })).error?.code, 'not_found')
  })

  await t.test('upsert, batch and a figure', async t => {
    const path = { source: 'erp', externalId: 'K-1' }
    const upserted = await client.PUT('/v1/contacts/external/{source}/{externalId}', {
      params: { path },
      body: { lastName: 'Farouk' }
    })
    t.equal(upserted.response.status, 201)
    const batch = await client.POST('/v1/contacts/batch', {
      body: { operations: [{ op: 'delete', id: upserted.data?.id ?? '' }] }
    })
    t.equal(batch.data?.results[0]?.status, 'deleted')
    const { data } = await client.GET('/v1/metrics')
    t.ok(data?.data.some(figure => figure.name === 'funnel'))
  })
}
