import type { Test } from 'tap'
import { declaredOperations } from '../../src/operations.js'
import { graphqlSchema } from '../../src/surfaces/graphql.js'
import { allResources, type Resource } from '../../src/kernel/resource.js'
import { aggregate } from './aggregate.js'
import { batch } from './batch.js'
import { idempotency } from './idempotency.js'
import { nested } from './nested.js'
import { operationScopes, scopes } from './scopes.js'
import { tenancy } from './tenancy.js'
import { apiKeys, workspace } from './identity.js'
import { bin } from './bin.js'
import { external } from './external.js'
import { crud } from './crud.js'
import { writes } from './writes.js'
import { paging } from './paging.js'
import { search } from './search.js'
import { filters } from './filters.js'
import { Statements, tablesWithoutWorkspace } from './statements.js'
import { has, type Suite } from './world.js'
import { execute } from '../helpers/database.js'
import { testApp } from '../helpers/app.js'
import { samples } from '../samples.js'

const parts = {
  crud,
  writes,
  filters,
  search,
  aggregate,
  paging,
  bin,
  external,
  batch,
  idempotency,
  scopes,
  nested,
  tenancy
}

async function newSuite(t: Test): Promise<Suite> {
  const app = await testApp(t)
  const statements = new Statements(app)
  return { app, statements, operations: new Map(declaredOperations().map(o => [o.name, o])) }
}

/** What is no record like the others: the workspace, API keys, and the scope of every operation. */
export async function identityAndScopes(t: Test): Promise<void> {
  const suite = await newSuite(t)
  await t.test('the workspace', t => workspace(t, suite))
  await t.test('API keys', t => apiKeys(t, suite))
  await t.test('every operation names the scope that is missing', async t => {
    const operations = [...suite.operations.values()]
    await operationScopes(t, suite, operations, graphqlSchema(operations))
  })
}

/** Every part of the suite on one of so many portions of all resources. */
export async function conformance(t: Test, portion: number, portions: number): Promise<void> {
  const suite = await newSuite(t)
  const { app } = suite
  const listed = allResources().filter(r => has(suite, r, 'list'))
  const resources: Resource[] = listed.filter((_, i) => i % portions === portion)
  t.same(
    listed.map(r => r.name).filter(name => !samples[name]),
    [],
    'every resource with standard operations has a sample'
  )
  for (const resource of resources) {
    for (const [name, part] of Object.entries(parts)) {
      await t.test(`${resource.plural}: ${name}`, t => part(t, suite, resource))
    }
  }

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
}
