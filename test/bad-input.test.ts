import t, { type Test } from 'tap'
import { testApp } from './helpers/app.js'
import { isProblem, tellsNothing, type Expected } from './helpers/problems.js'

const { call } = await testApp(t)

type BodyCase = [name: string, body: unknown, expected: Partial<Expected>]

const json = { 'content-type': 'application/json' }

async function refusesBodies(t: Test, path: string, cases: BodyCase[], method = 'POST') {
  for (const [name, body, expected] of cases) {
    await t.test(name, async t => {
      const raw = typeof body === 'string' ? body : JSON.stringify(body)
      isProblem(t, await call(method, path, raw, json), { status: 400, ...expected }, path)
    })
  }
}

const at = (pointer: string): Partial<Expected> => ({ code: 'invalid_input', pointer, in: 'body' })
const noJson = { code: 'invalid_json' }
const uuid = '01890000-0000-7000-8000-000000000000'
const keys = (n: number) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i]))
const deep = (levels: number) => '{"a":'.repeat(levels) + '1' + '}'.repeat(levels)

t.test('bodies that are no JSON object', t =>
  refusesBodies(t, '/v1/contacts', [
    ['nothing at all', '', at('')],
    ['truncated', '{"firstName":"a', noJson],
    ['trailing text', '{} {}', noJson],
    ['single quotes', "{'firstName':'a'}", noJson],
    ['NaN', '{"customFields":{"n":NaN}}', noJson],
    ['Infinity', '{"customFields":{"n":-Infinity}}', noJson],
    ['a leading zero', '{"customFields":{"n":007}}', noJson],
    ['__proto__', '{"__proto__":{"admin":true}}', noJson],
    ['__proto__ deep', '{"customFields":{"a":{"__proto__":1}}}', noJson],
    ['__proto__ in escapes', '{"\\u005f_proto__":{"admin":true}}', noJson],
    ['constructor.prototype', '{"address":{"constructor":{"prototype":{"x":1}}}}', noJson],
    ['null', 'null', at('')],
    ['a list', '[]', at('')],
    ['a number', '1', at('')],
    ['100,000 levels of objects', deep(100_000), { pointer: `/a${'/a'.repeat(23)}` }],
    ['100,000 levels of lists', '['.repeat(100_000) + ']'.repeat(100_000), { code: 'invalid_input' }],
    ['100,000 levels, truncated', '['.repeat(100_000), noJson]
  ])
)

t.test('fields of a contact', t =>
  refusesBodies(t, '/v1/contacts', [
    ['NUL', { firstName: 'a\0b' }, at('/firstName')],
    ['NUL in a list', { tags: ['a', '\0'] }, at('/tags/1')],
    ['NUL in a key', { 'a\0': 1 }, at('')],
    ['half a surrogate pair', '{"firstName":"\\ud83d"}', at('/firstName')],
    ['the other half', '{"customFields":{"a":"\\ude00b"}}', at('/customFields/a')],
    ['half a pair in a key', '{"customFields":{"\\ud83d":1}}', at('/customFields')],
    ['an unknown field', { firstNmae: 'a' }, { ...at('/firstNmae'), says: /Did you mean firstName\?/ }],
    ['an unknown field inside', { address: { citty: 'a' } }, { ...at('/address/citty'), says: /mean city/ }],
    ['a field with a slash', { 'a/b~c': 1 }, at('/a~1b~0c')],
    ['constructor', '{"constructor":1}', at('/constructor')],
    ['toString', '{"toString":1}', at('/toString')],
    ['what is ours', { id: uuid }, at('/id')],
    ['a version', { version: 7 }, at('/version')],
    ['createdAt', { createdAt: '2026-01-01T00:00:00Z' }, at('/createdAt')],
    ['a number for text', { firstName: 5 }, at('/firstName')],
    ['empty text', { firstName: '' }, at('/firstName')],
    ['long text', { firstName: 'a'.repeat(201) }, at('/firstName')],
    ['text for a list', { tags: 'a' }, at('/tags')],
    ['null for a list', { tags: null }, at('/tags')],
    ['a number in a list', { tags: [1] }, at('/tags/0')],
    ['the same twice in a list', { tags: ['a', 'a'] }, at('/tags')],
    ['a long list', { tags: Array.from({ length: 101 }, String) }, at('/tags')],
    ['a list for an object', { address: [] }, at('/address')],
    ['no UUID', { companyId: 'x' }, at('/companyId')],
    ['a UUID in braces', { companyId: `{${uuid}}` }, at('/companyId')],
    ['no e-mail', { email: 'a@b' }, at('/email')],
    ['an e-mail of two lines', { email: 'a@b.c\nbcc:d@e.f' }, at('/email')],
    ['a phone number of letters', { phone: '+49ABCDEFG' }, at('/phone')],
    ['a country in small letters', { country: 'bd' }, at('/country')],
    ['a country there is not', { country: 'ZZ' }, at('/country')],
    ['a country of another name', { country: 'UK' }, at('/country')],
    ['a choice there is not', { lifecycleStage: 'ACTION' }, at('/lifecycleStage')],
    ['a choice there is not, in a list', { relationships: ['friend'] }, at('/relationships/0')],
    ['a time zone there is not', { timeZone: 'Mars/Olympus' }, at('/timeZone')],
    ['an offset as a time zone', { timeZone: '+02:00' }, at('/timeZone')],
    ['a language there is not', { language: 'en_US' }, at('/language')],
    [
      'two of one source',
      { externalIds: [1, 2].map(n => ({ source: 's', id: `${n}` })) },
      at('/externalIds')
    ],
    ['a source with a blank', { externalIds: [{ source: 'a b', id: '1' }] }, at('/externalIds/0/source')],
    ['half an external id', { externalIds: [{ source: 'a' }] }, at('/externalIds/0/id')],
    ...[
      '2026-02-30',
      '2026-13-01',
      '0000-01-01',
      '10000-01-01',
      '2026-1-1',
      '2026-01-01T00:00:00Z',
      'now',
      ''
    ].map((day): BodyCase => [`the day ${day}`, { birthDate: day }, at('/birthDate')])
  ])
)

t.test('custom fields', t =>
  refusesBodies(t, '/v1/contacts', [
    ["a'b", { customFields: { "a'b": 1 } }, at("/customFields/a'b")],
    ['a name that starts with a digit', { customFields: { '1a': 1 } }, at('/customFields/1a')],
    ['a name with a blank', { customFields: { 'a b': 1 } }, at('/customFields/a b')],
    ['no name', { customFields: { '': 1 } }, at('/customFields/')],
    ['a name of 65 characters', { customFields: { ['a'.repeat(65)]: 1 } }, { code: 'invalid_input' }],
    ['201 keys', { customFields: keys(201) }, at('/customFields')],
    ['an object', { customFields: { a: {} } }, at('/customFields/a')],
    ['a list', { customFields: { a: [] } }, at('/customFields/a')],
    ['text of 10,001', { customFields: { a: 'x'.repeat(10_001) } }, at('/customFields/a')],
    ['a number beyond all', '{"customFields":{"a":1e400}}', at('/customFields/a')],
    ['null on create', { customFields: null }, at('/customFields')]
  ])
)

t.test('custom fields that may be', async t => {
  const numbers =
    '{"customFields":{"big":9007199254740993,"zero":-0,"tiny":5e-324,"huge":1e308,"constructor":1}}'
  const { status, body } = await call('POST', '/v1/contacts', numbers, json)
  t.equal(status, 201)
  const { constructor, ...others } = body.customFields as Record<string, unknown>
  t.strictSame(others, { big: 2 ** 53, zero: 0, tiny: 5e-324, huge: 1e308 }, 'numbers as a double holds them')
  t.equal(constructor, 1)
  const full = await call('POST', '/v1/contacts', { customFields: keys(200) })
  t.equal(full.status, 201, '200 keys')
})

const refused = [
  '1.00001',
  '01',
  '1e5',
  '1,5',
  '1.',
  '.5',
  '',
  ' 1',
  '+1',
  'NaN',
  'Infinity',
  '-',
  '0x1',
  '١',
  '1_0'
]

t.test('money', t =>
  refusesBodies(t, '/v1/companies', [
    ...[...refused, '1234567890123456'].map((money): BodyCase => [
      `"${money}"`,
      { name: 'a', annualRevenue: money },
      at('/annualRevenue')
    ]),
    ['a number', { name: 'a', annualRevenue: 1200.5 }, at('/annualRevenue')]
  ])
)

const instants = [
  '2026-02-30T00:00:00Z',
  '2026-01-01T24:00:00Z',
  '2026-01-01T00:00:60Z',
  '2026-01-01T00:00:00',
  '2026-01-01T00:00:00+15:00',
  '0000-01-01T00:00:00Z',
  '10000-01-01T00:00:00Z',
  '2026-01-01',
  'infinity',
  'now'
]

t.test('instants', t =>
  refusesBodies(
    t,
    '/v1/deals',
    instants.map((openedAt): BodyCase => [openedAt, { name: 'a', stageId: uuid, openedAt }, at('/openedAt')])
  )
)

t.test('rows of a batch', t =>
  refusesBodies(t, '/v1/contacts/batch', [
    ['no rows', { operations: [] }, at('/operations')],
    ['too many', { operations: Array(1001).fill({ op: 'create', body: {} }) }, at('/operations')],
    [
      'an unknown member',
      { operations: [{ op: 'create' }], atmoic: true },
      { pointer: '/atmoic', says: /atomic/ }
    ],
    [
      'NUL',
      { atomic: true, operations: [{ op: 'create', body: { firstName: '\0' } }] },
      { code: 'invalid_input' }
    ]
  ])
)

t.test('hostile text is text', async t => {
  const texts = [
    "'; drop table contacts; --",
    '$1',
    '${1}',
    '{{7*7}}',
    '<script>',
    '%00',
    '\\u0000',
    '../..',
    '\u202e'
  ]
  for (const firstName of texts) {
    const made = await call('POST', '/v1/contacts', { firstName })
    t.equal(made.status, 201)
    t.equal((await call('GET', `/v1/contacts/${made.body.id}`)).body.firstName, firstName)
    tellsNothing(t, made.text)
  }
})

t.test('ids in capitals name the same record', async t => {
  const { body } = await call('POST', '/v1/contacts', { firstName: 'Rahim' })
  const path = `/v1/contacts/${String(body.id).toUpperCase()}`
  t.match(await call('GET', path), { status: 200, body: { id: body.id } })
  t.match(await call('PATCH', path, { firstName: 'Karim' }), { status: 200, body: { version: 2 } })
  t.match(await call('GET', `${path}/changes`), { status: 200, body: { data: [{ version: 2 }] } })
  t.equal((await call('DELETE', path)).status, 204)
  t.match(await call('POST', `${path}/restore`), { status: 200, body: { id: body.id } })
})
