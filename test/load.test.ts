import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { Client } from '../scripts/load/client.js'
import { testApp } from './helpers/app.js'
import { sender } from './helpers/http.js'
import { runLoad } from './helpers/run-load.js'

const accounts = `account,sector,year_established,revenue,employees,office_location,subsidiary_of
Child,retail,1999,251.41,495,Korea,Parent
Parent,technolgy,1996,1100.04,2822,United States,
`
const teams = 'sales_agent,manager,regional_office\nMei-Mei Johns,Melvin Marxen,Central\n'
const products = 'product,series,sales_price\nGTX Pro,GTX,4821\nMG Special,MG,55\n'
const header = 'opportunity_id,sales_agent,product,account,deal_stage,engage_date,close_date,close_value\n'

t.test('opportunities become companies, products, users and deals', async t => {
  const app = await testApp(t)
  const origin = await app.app.listen({ host: '127.0.0.1', port: 0 })
  const send = sender(origin, app.key)
  const folder = t.testdir({
    'accounts.csv': accounts,
    'sales_teams.csv': teams,
    'products.csv': products,
    'sales_pipeline.csv': `${header}A,Mei-Mei Johns,GTXPro,Child,Won,2016-10-20,2017-03-01,1054
B,Mei-Mei Johns,MG Special,,Lost,2016-10-21,2017-03-02,0
C,Mei-Mei Johns,MG Special,,Prospecting,,,
`
  })
  const args = ['crm-opportunities', folder, '--url', origin, '--key', app.key]

  t.test('the first run makes them and says what it assumed', async t => {
    const { code, out, err } = await runLoad(...args)
    t.equal(code, 0)
    t.match(err, '1 deals have no date: taken as opened on 2016-10-20')
    t.match(JSON.parse(out), { set: 'crm-opportunities', deals: { created: 3, updated: 0, unchanged: 0 } })
    const child = (await send('GET', '/v1/companies/external/crm-opportunities/Child?include=parent')).body
    t.match(child, {
      industry: 'retail',
      foundedYear: 1999,
      annualRevenue: '251410000',
      currency: 'USD',
      country: null,
      customFields: { officeLocation: 'Korea' },
      parent: { name: 'Parent', country: 'US' }
    })
  })

  t.test('a deal has its owner, product and past', async t => {
    const path = '/v1/deals/external/crm-opportunities'
    const won = (await send('GET', `${path}/A?include=owner,company,product,stage`)).body
    t.match(won, {
      status: 'won',
      amount: '1054',
      openedAt: '2016-10-20T00:00:00.000Z',
      closedAt: '2017-03-01T00:00:00.000Z',
      customFields: { product: 'GTX Pro' },
      product: { name: 'GTX Pro', listPrice: '4821' },
      stage: { name: 'Won' },
      company: { name: 'Child' },
      owner: { email: 'mei-mei.johns@example.com', role: 'rep' }
    })
    const { data: rows } = (await send('GET', `/v1/deals/${won.id}/history`)).body
    t.match(rows, [
      { stageName: 'Engaging', amount: null },
      { stageName: 'Won', amount: '1054' }
    ])
    t.match((await send('GET', `${path}/B`)).body, { status: 'lost', amount: '0', companyId: null })
    t.match((await send('GET', `${path}/C`)).body, { status: 'open', openedAt: '2016-10-20T00:00:00.000Z' })
  })

  t.test('the second run changes nothing', async t => {
    const { code, out } = await runLoad(...args)
    t.equal(code, 0)
    t.match(JSON.parse(out), { deals: { created: 0, updated: 0, unchanged: 3 }, parents: { unchanged: 1 } })
  })

  t.test('a row that fails is named, the others are written, the exit code tells', async t => {
    const rows = `D,Mei-Mei Johns,MG Special,,Won,2017-01-01,2017-02-01,much
E,Mei-Mei Johns,MG Special,,Won,2017-01-01,2017-02-01,5
`
    await writeFile(join(folder, 'sales_pipeline.csv'), header + rows)
    const { code, out, err } = await runLoad(...args)
    t.equal(code, 1)
    t.equal(out, '')
    t.match(err, /deals D: .*amount/)
    t.match((await send('GET', '/v1/deals/external/crm-opportunities/E')).body, { amount: '5' })
  })

  t.test('a wrong key is told', async t => {
    const { code, err } = await runLoad('crm-opportunities', folder, '--url', origin, '--key', 'kith_x_y')
    t.equal(code, 1)
    t.match(err, '"status":401')
  })
})

t.test('what may pass is tried again with the same key, what may not is thrown', async t => {
  const seen: IncomingHttpHeaders[] = []
  const answers = [503, 429, 200, 409]
  const server = createServer((request, response) => {
    seen.push(request.headers)
    response.writeHead(answers[seen.length - 1]!, { 'retry-after': '0' }).end('{"code":"conflict"}')
  })
  t.teardown(() => server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const client = new Client(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'secret')
  t.same(await client.call('POST', '/v1/deals', {}), { code: 'conflict' })
  t.equal(seen.length, 3)
  t.equal(new Set(seen.map(headers => headers['idempotency-key'])).size, 1)
  await t.rejects(client.call('POST', '/v1/deals', {}), /POST .v1.deals: .*conflict/)
  t.equal(seen.length, 4)
})
