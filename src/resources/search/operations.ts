import { parameterError } from '../../kernel/errors.js'
import { operation, value, type Operation } from '../../kernel/operation.js'
import type { Resource } from '../../kernel/resource.js'
import { About, Bool, Closed, Enum, Id, Integer, Nullable, Text, Type } from '../../kernel/schema.js'
import { searchAll, searchableResources } from '../../kernel/search-all.js'
import { SearchAllText } from '../../kernel/search.js'
import { suggestion } from '../../kernel/validate.js'

function kindsOf(types: string | undefined): Resource[] | undefined {
  const all = searchableResources()
  return types?.split(',').map(type => {
    const found = all.find(r => r.eventName === type)
    if (found) return found
    const names = all.map(r => r.eventName)
    throw parameterError('types', `${type} cannot be searched.${suggestion(type, names)}`, 'unknown_type')
  })
}

/** The search over all kinds at once; GraphQL has a field of its own for it, with typed records. */
export function searchOperations(): Operation[] {
  const names = searchableResources().map(r => r.eventName)
  return [
    operation({
      name: 'records.search',
      kind: 'read',
      permission: 'authenticated',
      summary: 'Search records of all kinds at once',
      description:
        'Exact matches (the whole name, e-mail, phone number or domain) come first, then the newest. Only kinds that the credential may read, or the `types` asked for.',
      rest: 'GET /search',
      graphql: null,
      query: Closed({
        q: SearchAllText(),
        types: Type.Optional(Text(1000, { description: `Comma-separated, of ${names.join(', ')}.` })),
        limit: Type.Optional(About('How many of each type at most; 10 unless said.', Integer(1, 50)))
      }),
      result: value(
        Closed({
          data: Type.Array(
            Closed({
              type: Enum('SearchType', names),
              id: Id('The id of the record.'),
              title: About('What it is called.', Text(1000)),
              subtitle: About('What else it is known by, such as an e-mail.', Nullable(Text(1000))),
              exact: About('Whether one of its texts is all that was searched for.', Bool()),
              record: Type.Unsafe<Record<string, unknown>>({
                'x-kind': 'json',
                'x-resources': searchableResources().map(r => r.name)
              })
            })
          )
        })
      ),
      run: async (ctx, { q, types, limit = 10 }) => {
        const at = { in: 'query', parameter: 'q' } as const
        const hits = await searchAll(ctx, { text: q, kinds: kindsOf(types), size: limit, at })
        return {
          data: hits.map(({ resource, record, ...hit }) => ({
            type: resource.eventName,
            id: record.id,
            ...hit,
            record
          }))
        }
      }
    })
  ]
}
