import t from 'tap'
import { declaredOperations } from '../src/operations.js'
import { Statements } from './conformance/statements.js'
import { newWorld, type Suite } from './conformance/world.js'
import { testApp } from './helpers/app.js'
import { oracle, ownedResources } from './row-scope/oracle.js'
import { feed } from './row-scope/reads.js'
import { mayOwnWebhooks, mayWrite, newStage } from './row-scope/world.js'
import { endpoints, refusals, writes } from './row-scope/writes.js'

t.test('whatever one writes, one reaches the records in scope', async t => {
  const app = await testApp(t, { RATE_LIMIT: '0' })
  const operations = declaredOperations()
  const suite: Suite = {
    app,
    statements: new Statements(app),
    operations: new Map(operations.map(o => [o.name, o]))
  }
  const { stage } = await newStage(app, suite)
  const foreign = await newWorld(suite)
  const resources = ownedResources(stage)

  // One of each kind: what an answer gives away does not depend on who it is, nor on scopes for what nobody owns.
  const writers = stage.cast.actors.filter(a => a.may !== 'read')
  const kinds = new Map(writers.map(a => [`${a.rowScope} ${a.may === 'admin'}`, a]))
  for (const actor of [...kinds.values()].filter(a => a.rowScope !== 'all')) {
    await t.test(`${actor.name} learns nothing of what is out of scope`, async t => {
      for (const resource of resources) {
        await t.test(resource.plural, t => oracle(t, stage, foreign, actor, resource))
      }
    })
  }
  const actors = [...stage.cast.actors].sort((a, b) => Number(mayOwnWebhooks(a)) - Number(mayOwnWebhooks(b)))
  for (const actor of actors) {
    await t.test(`${actor.name} and webhooks`, t => endpoints(t, stage, actor))
  }
  for (const actor of stage.cast.actors) {
    await t.test(`${actor.name} writes`, async t => {
      for (const resource of resources) {
        await t.test(resource.plural, t =>
          (mayWrite(actor, resource) ? writes : refusals)(t, stage, actor, resource)
        )
      }
      await t.test('the feed', t => feed(t, stage, actor))
    })
  }
})
