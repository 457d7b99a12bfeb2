import t, { type Test } from 'tap'
import { generateClients } from './clients/generate.js'
import { people, type Server } from './clients/programs/server.js'
import { testApp } from './helpers/app.js'

/** What each program has to offer: it calls a listening server and asserts what it got. */
type Program = (t: Test, server: Server) => Promise<void>

// What the programs import is generated first, so they are loaded afterwards, by names that the compiler does not follow.
async function load(name: string): Promise<Program> {
  const loaded: { default: Program } = await import(`./clients/programs/${name}.js`)
  return loaded.default
}

t.test('clients that others wrote', { timeout: 120_000 }, async t => {
  await t.test('what they generate from the contracts fits the programs', () => generateClients())

  for (const name of ['apollo', 'urql', 'relay', 'openapi']) {
    await t.test(name, async t => {
      const { app, call, key } = await testApp(t)
      const origin = await app.listen({ host: '127.0.0.1', port: 0 })
      const operations = people.map(lastName => ({
        op: 'create',
        body: { lastName, address: { city: 'Dhaka' } }
      }))
      t.equal((await call('POST', '/v1/contacts/batch', { operations })).status, 200)
      const program = await load(name)
      await program(t, { origin, key })
    })
  }
})
