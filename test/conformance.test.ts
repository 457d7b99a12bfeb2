import t from 'tap'
import { allOperations } from '../src/operations.js'
import { allResources } from '../src/kernel/resource.js'
import { batch } from './conformance/batch.js'
import { idempotency } from './conformance/idempotency.js'
import { bin } from './conformance/bin.js'
import { external } from './conformance/external.js'
import { crud } from './conformance/crud.js'
import { writes } from './conformance/writes.js'
import { paging } from './conformance/paging.js'
import { filters } from './conformance/filters.js'
import { Statements, tablesWithoutWorkspace } from './conformance/statements.js'
import { has, type Suite } from './conformance/world.js'
import { execute } from './helpers/database.js'
import { testApp } from './helpers/app.js'
import { samples } from './samples.js'

const parts = { crud, writes, filters, paging, bin, external, batch, idempotency }

t.test('every resource on every surface', async t => {
  const app = await testApp(t, { RATE_LIMIT: '0', LOG_LEVEL: 'error' })
  const operations = allOperations({ sign: undefined, sequence: async () => undefined })
  const suite: Suite = {
    app,
    statements: new Statements(app.database),
    operations: new Set(operations.map(o => o.name))
  }
  const resources = allResources().filter(r => has(suite, r, 'list', 'update'))
  if (process.env.ONLY) resources.splice(0, 99, ...resources.filter(r => process.env.ONLY === r.name))
  t.same(
    resources.map(r => r.name).filter(name => !samples[name]),
    [],
    'every resource with standard operations has a sample'
  )
  for (const resource of resources) {
    for (const [name, part] of Object.entries(parts)) {
      if (process.env.CONF && !process.env.CONF.split(',').includes(name)) continue
      await t.test(`${resource.plural}: ${name}`, async t => {
        const started = process.cpuUsage()
        await part(t, suite, resource)
        console.error(`${resource.plural} ${name} ${process.cpuUsage(started).user / 1000} ms`)
      })
    }
  }

  await t.test('every statement names the workspace of every table', async t => {
    const { rows } = await execute(
      app.url,
      `select table_name from information_schema.columns where table_schema = 'public' and column_name = 'workspace_id'`
    )
    const tables = rows.map(r => String(r.table_name))
    t.ok(tables.length > 10)
    for (const text of suite.statements.texts) {
      const bare = tablesWithoutWorkspace(text, tables)
      if (bare.length > 0) t.fail(`without workspace_id of ${bare.join()}: ${text}`)
    }
  })
})
