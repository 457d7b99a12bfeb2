import t from 'tap'
import { declaredOperations } from '../src/operations.js'
import { Statements } from './conformance/statements.js'
import type { Suite } from './conformance/world.js'
import { testApp } from './helpers/app.js'
import { feed, figures, reads } from './row-scope/reads.js'
import { newStage } from './row-scope/world.js'

t.test('whatever one reads, one sees the records in scope', async t => {
  const app = await testApp(t, { RATE_LIMIT: '0' })
  const operations = declaredOperations()
  const suite: Suite = {
    app,
    statements: new Statements(app.database),
    operations: new Map(operations.map(o => [o.name, o]))
  }
  const { stage, unlinked } = await newStage(app, suite)
  t.same(unlinked, [], 'every relation that may be changed points somewhere')
  for (const actor of stage.cast.actors) {
    await t.test(actor.name, async t => {
      for (const resource of stage.resources) {
        await t.test(resource.plural, t => reads(t, stage, actor, resource))
      }
      await t.test('figures', t => figures(t, stage, actor))
      await t.test('the feed', t => feed(t, stage, actor))
    })
  }
})
