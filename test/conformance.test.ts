import t from 'tap'
import { allOperations } from '../src/operations.js'
import { graphqlSchema } from '../src/surfaces/graphql.js'
import { allResources } from '../src/kernel/resource.js'
import { batch } from './conformance/batch.js'
import { idempotency } from './conformance/idempotency.js'
import { nested } from './conformance/nested.js'
import { operationScopes, scopes } from './conformance/scopes.js'
import { tenancy } from './conformance/tenancy.js'
import { apiKeys, workspace } from './conformance/identity.js'
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

const parts = { crud, writes, filters, paging, bin, external, batch, idempotency, scopes, nested, tenancy }

t.test('every resource on every surface', async t => {
  const app = await testApp(t, { RATE_LIMIT: '0' })
  const operations = allOperations({
    sign: undefined,
    sequence: async () => undefined,
    checkUrl: () => undefined
  })
  const suite: Suite = {
    app,
    statements: new Statements(app.database),
    operations: new Map(operations.map(o => [o.name, o]))
  }
  const resources = allResources().filter(r => has(suite, r, 'list'))
  t.same(
    resources.map(r => r.name).filter(name => !samples[name]),
    [],
    'every resource with standard operations has a sample'
  )
  for (const resource of resources) {
    for (const [name, part] of Object.entries(parts)) {
      await t.test(`${resource.plural}: ${name}`, t => part(t, suite, resource))
    }
  }

  await t.test('the workspace', t => workspace(t, suite))
  await t.test('API keys', t => apiKeys(t, suite))

  await t.test('every operation names the scope that is missing', async t => {
    await operationScopes(t, suite, operations, graphqlSchema(operations))
  })

  await t.test('every statement names the workspace of every table', async t => {
    const { rows } = await execute(
      app.url,
      `select table_name from information_schema.columns where table_schema = 'public' and column_name = 'workspace_id'`
    )
    const tables = rows.map(r => String(r.table_name))
    t.ok(tables.length > 10)
    t.same(tablesWithoutWorkspace('select 1 from deals d join stages s on s.workspace_id = $1', tables), [
      'deals'
    ])
    for (const text of suite.statements.texts) {
      const bare = tablesWithoutWorkspace(text, tables)
      if (bare.length > 0) t.fail(`without workspace_id of ${bare.join()}: ${text}`)
    }
  })
})
