import t from 'tap'
import { isOwned } from '../src/kernel/authorize.js'
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
    statements: new Statements(app),
    operations: new Map(operations.map(o => [o.name, o]))
  }
  const { stage, unlinked } = await newStage(app, suite)
  t.same(unlinked, [], 'every relation that may be changed points somewhere')
  // What is nobody's is seen alike by all of one row scope.
  const firsts = new Set(new Map([...stage.cast.actors].reverse().map(a => [a.rowScope, a])).values())
  for (const actor of stage.cast.actors) {
    await t.test(actor.name, async t => {
      for (const resource of stage.resources.filter(r => isOwned(r) || firsts.has(actor))) {
        await t.test(resource.plural, t => reads(t, stage, actor, resource))
      }
      await t.test('figures', t => figures(t, stage, actor))
      await t.test('the feed', t => feed(t, stage, actor))
    })
  }
})
