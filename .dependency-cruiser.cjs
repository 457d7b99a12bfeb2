/** Who may import whom. A folder's rule lists what it may import of ours; everything else is an error. */

const httpOrGraphql = '(^|node_modules/)(@fastify/|fastify([/-]|$)|graphql([/-]|$))'
const logging = '(^|node_modules/)pino([/-]|$)'
const columns = '^src/database/columns\\.ts$'
const resourceTable = '^src/resources/[^/]+/table\\.ts$'
const resourceModel = '^src/resources/[^/]+/(table|resource)\\.ts$'
const resourceWriter = '^src/resources/[^/]+/writer\\.ts$'
const shared = '^src/resources/shared\\.ts$'
const config = '^src/config\\.ts$'

const ours = (name, from, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: allowed }
})

const never = (name, from, path, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path }
})

module.exports = {
  forbidden: [
    ours(
      'kernel-alone',
      '^src/kernel/',
      '^src/kernel/',
      'The kernel imports nothing of ours outside itself.'
    ),
    never('kernel-no-protocol', '^src/kernel/', httpOrGraphql, 'The kernel knows no Fastify and no GraphQL.'),
    {
      name: 'table-columns-only',
      comment: 'A table is built of the shared columns, other tables and drizzle.',
      severity: 'error',
      from: { path: resourceTable },
      to: { pathNot: [columns, resourceTable, 'node_modules/drizzle-orm/'] }
    },
    ours(
      'resource-folder',
      '^src/resources/([^/]+)/',
      ['^src/kernel/', columns, shared, '^src/resources/$1/', resourceModel, resourceWriter],
      'A resource imports the kernel, its own folder, and the tables, resources and writers of others.'
    ),
    ours(
      'resource-index',
      '^src/resources/[^/]+\\.ts$',
      ['^src/kernel/', '^src/resources/', columns],
      'The list of resources imports resources and the kernel.'
    ),
    never(
      'resource-no-protocol',
      '^src/resources/',
      [httpOrGraphql, logging],
      'A resource knows no HTTP server, no GraphQL and no logger.'
    ),
    ours(
      'metric-model',
      '^src/metrics/',
      ['^src/kernel/', '^src/metrics/', columns, resourceModel],
      'A figure imports the kernel and the tables and resources it counts.'
    ),
    never(
      'metric-no-protocol',
      '^src/metrics/',
      [httpOrGraphql, logging],
      'A figure knows no HTTP server, no GraphQL and no logger.'
    ),
    ours(
      'surface-kernel',
      '^src/surfaces/',
      ['^src/kernel/', '^src/surfaces/', config],
      'A surface renders a list of operations: it knows the kernel, neither a resource nor the HTTP plugins.'
    ),
    ours(
      'http-kernel',
      '^src/http/',
      ['^src/kernel/', '^src/http/', config],
      'The HTTP plugins know the kernel, neither a resource nor a surface.'
    ),
    ours(
      'database-errors',
      '^src/database/',
      ['^src/database/', '^src/kernel/', config],
      'The database layer knows no resource and no protocol.'
    ),
    {
      name: 'database-types',
      comment:
        'Of the kernel the database layer runs the errors and the expressions of its columns and indexes, else types.',
      severity: 'error',
      from: { path: '^src/database/' },
      to: {
        path: ['^src/kernel/', config],
        pathNot: '^src/kernel/(errors|sort|search-text)\\.ts$',
        dependencyTypesNot: ['type-only']
      }
    },
    never(
      'src-alone',
      '^src/',
      '^(test|bench|scripts)/',
      'The program does not import tests, benchmarks or scripts.'
    ),
    {
      name: 'no-cycle',
      comment: 'No cycles. A type alone makes none: it is gone when the program runs.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } }
    },
    {
      name: 'no-dev-dependency',
      comment: 'The program runs without development dependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg'], dependencyTypesNot: ['type-only'] }
    },
    {
      name: 'resolvable',
      comment: 'An import that leads nowhere escapes every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true }
    }
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types']
    }
  }
}
