import type { TestApp } from './app.js'
import type { Json } from './expected.js'
import { done } from './funnel.js'

/** A workspace of a shop. */
export interface World {
  call: TestApp['call']
  graphql: TestApp['graphql']
  /** Customers by name, made when first named; `contact …` names a contact. */
  customer(name: string): Promise<{ companyId: string } | { contactId: string }>
  order(customer: string, orderedAt: string, amount: string | null, more?: object): Promise<Json>
  rate(date: string, currency: string, rateToBase: string): Promise<Json>
  value(parameters?: object): Promise<Json>
}

export async function newWorld(app: TestApp, settings: object = {}): Promise<World> {
  const headers = { authorization: `Bearer ${await app.newKey(['admin'], await app.newWorkspace('shop'))}` }
  const call: World['call'] = (method, path, body, more) =>
    app.call(method, path, body, { ...headers, ...more })
  await done(call('PATCH', '/v1/workspace', settings))
  const known = new Map<string, { companyId: string } | { contactId: string }>()
  const customer: World['customer'] = async name => {
    const found = known.get(name)
    if (found) return found
    const isContact = name.startsWith('contact')
    const body = isContact ? { firstName: name } : { name }
    const { id } = await done(call('POST', isContact ? '/v1/contacts' : '/v1/companies', body))
    const made = isContact ? { contactId: id as string } : { companyId: id as string }
    known.set(name, made)
    return made
  }
  return {
    call,
    graphql: (query, variables) => call('POST', '/graphql', { query, variables }),
    customer,
    order: async (name, orderedAt, amount, more = {}) =>
      done(
        call('POST', '/v1/orders', { currency: 'EUR', ...(await customer(name)), orderedAt, amount, ...more })
      ),
    rate: (date, currency, rateToBase) =>
      done(call('POST', '/v1/exchange-rates', { date, currency, rateToBase })),
    value: (parameters = {}) => done(call('POST', '/v1/metrics/lifetime-value', parameters))
  }
}
