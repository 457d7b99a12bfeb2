import fc from 'fast-check'
import sql from 'sql-template-tag'
import t, { type Test } from 'tap'
import { testApp } from './helpers/app.js'
import { workspaceOf, type Json } from './helpers/workspace.js'

const kith = await testApp(t)

interface Person {
  firstName?: string
  lastName?: string
  email?: string
  phone?: string
}

/** Each person is found by the texts that are theirs, and not by the others. */
async function foundBy(t: Test, name: string, cases: [Person, string[], string[]][]): Promise<void> {
  const { make, find } = await workspaceOf(kith, name)
  for (const [person, own, others] of cases) {
    const id = await make('contacts', person)
    for (const text of own) t.ok((await find(text)).includes(id), `${text} finds ${JSON.stringify(person)}`)
    for (const text of others)
      t.notOk((await find(text)).includes(id), `${text} does not find ${JSON.stringify(person)}`)
  }
}

t.test('found by part in any script, accents and case aside', t =>
  foundBy(t, 'scripts', [
    [
      { firstName: 'রহিম', lastName: 'সুন্দরী' },
      ['রহিম', 'হিম', 'রহি', 'র', 'রহ', 'সুন্দ', 'ন্দরী', 'সুন্দরী রহিম'],
      ['রহম', 'হি', 'সন্দ', 'রহিমা']
    ],
    [{ lastName: 'পেড়া কোমল' }, ['পেড়া', 'পেড\u09bcা', 'কোমল', 'ক\u09c7\u09beমল'], ['পেডা']],
    [{ firstName: 'سنڌي', lastName: 'محمّد آخوند' }, ['سنڌي', 'نڌي', 'سِنڌِي', 'محمد', 'اخوند', 'سن'], ['سندي']],
    [{ lastName: 'نستعليق \ufe8e\ufedf' }, ['نستعليق', 'نـستـعـليق'], ['ستعلق']],
    [{ firstName: 'José', lastName: 'Müller-Łukasz' }, ['jose', 'JOSÉ', 'jose\u0301', 'muller', 'łuk', 'LUKASZ', 'ller-lu'], ['joze', 'er lu']], // prettier-ignore
    [{ lastName: 'Straße Ørsted Æsir' }, ['strasse', 'STRASSE', 'straße', 'STRAẞE', 'orsted', 'ØRST', 'aesir'], ['strase']], // prettier-ignore
    [
      { firstName: 'İsmail', lastName: 'Işık' },
      ['ismail', 'İSMAİL', 'ISMAIL', 'ışık', 'isik', 'IŞIK', 'Isi'],
      ['smal']
    ],
    [{ lastName: 'ΠΑΠΑΔΟΠΟΥΛΟΣ' }, ['παπαδοπουλος', 'Παπαδόπουλος', 'ΠΟΥΛΟΣ'], ['παπας']],
    [{ lastName: 'Алёна Чайковский' }, ['алена', 'АЛЁНА', 'чайк'], ['чаек']],
    [{ lastName: 'नमिता ज़ोया' }, ['नमिता', 'मित', 'ज़ोया', 'ज\u093cोया'], ['नमता']],
    [
      { lastName: '山田太郎 한국 ﬁnch Ｗide' },
      ['山田', '田太郎', '한국', 'finch', 'wide', 'ＦＩＮＣＨ'],
      ['田太']
    ],
    [{ lastName: 'party 🎉people' }, ['🎉', 'party', '🎉people', 'PEOPLE'], ['🎂']]
  ])
)

t.test('e-mails, phone numbers and signs', t =>
  foundBy(t, 'signs', [
    [
      { email: 'Karim.Rahman+news@Mail.Example.com' },
      ['karim', 'RAHMAN', 'karim.rahman+news@mail.example.com', '@mail', 'example.com', 'man+news', 'ne', 'ma', '.com'], // prettier-ignore
      ['arim@', 'karim@mail', 'ai', 'karim-rahman', 'rahman karim@']
    ],
    [
      { phone: '+8801712345678' },
      ['+8801712345678', '8801712345678', '01712345678', '+880 1712 345678', '+880-1712-345678', '(880) 1712/345678', '00880 1712345678', '345678', '5678', '+88', '88'], // prettier-ignore
      ['+8801712345679', '8877', '12345687', '17']
    ],
    [
      { phone: '+4930123456' },
      ['+49 30 123456', '+49 (0)30 123456', '0049-30-123456', '30123'],
      ['+49 31 123456']
    ],
    [{ lastName: "O’Brien d'Alembert" }, ["o'brien", 'O’BRIEN', 'brien', 'al', "d'al"], ['obrien', 'ri']],
    [{ lastName: '100% sure_thing \\o/ "quoted"' }, ['100%', 'sure_thing', '_thing', '\\o/', '"quoted"', '100%  sure'], ['%', '1%0', 'sure thin_', 'sureXthing', '100_']], // prettier-ignore
    [
      { lastName: 'Al Khan' },
      ['al', 'a', 'AL KH', 'kh al', 'khan  al', '\tkhan\n'],
      ['ha', 'an', 'n', 'al kan']
    ]
  ])
)

t.test('every word, wherever it is; updates, the bin, filters and counts', async t => {
  const { make, find, request, ask } = await workspaceOf(kith, 'changes')
  const id = await make('contacts', { firstName: 'Amina', lastName: 'Begum', email: 'amina@firma.example' })
  const other = await make('contacts', { firstName: 'Amina', lastName: 'Khatun' })
  t.same((await find('amina')).sort(), [id, other].sort())
  t.same(await find('FIRMA begum amina'), [id])
  t.same(await find('amina nobody'), [])
  await request('PATCH', `/v1/contacts/${id}`, { lastName: 'Choudhury', email: null })
  t.same(await find('begum'), [], 'what was changed is not found any more')
  t.same(await find('firma'), [])
  t.same(await find('choud'), [id])
  const counted = await request('POST', '/v1/contacts/search', {
    search: 'amina',
    filter: { lastName: { eq: 'Khatun' } },
    count: true
  })
  t.match(counted.body, { data: [{ id: other }], page: { totalCount: 1 } })
  await request('DELETE', `/v1/contacts/${id}`)
  t.same(await find('amina'), [other], 'the bin is left out')
  const bin = await request('GET', '/v1/contacts?search=amina&deleted=true')
  t.match(bin.body.data, [{ id }])
  t.equal(bin.body.data.length, 1)
  const { body } = await ask('{ contacts(search: "amina", first: 1) { totalCount nodes { id } } }')
  t.same(body.data.contacts, { totalCount: 1, nodes: [{ id: other }] })
  const none = await request('POST', '/v1/contacts/batch', {
    operations: [{ op: 'upsert', source: 'x', externalId: '1', body: { lastName: 'Batchwise' } }]
  })
  t.same(await find('batchw'), [none.body.results[0].id])
})

t.test('pages through what it finds, in any order', async t => {
  const { make, request } = await workspaceOf(kith, 'pages')
  const ids: string[] = []
  for (const n of [3, 1, 5, 2, 4])
    ids.push(await make('contacts', { lastName: `Name ${n}`, firstName: 'Same' }))
  await make('contacts', { lastName: 'Different' })
  const found: string[] = []
  for (let url: string | undefined = '/v1/contacts?search=same&limit=2&sort=lastName'; url !== undefined;) {
    const { body, headers } = await request('GET', url)
    found.push(...(body.data as Json[]).map(r => r.lastName as string))
    url = /<([^>]+)>/.exec(String(headers.link))?.[1]
  }
  t.same(found, ['Name 1', 'Name 2', 'Name 3', 'Name 4', 'Name 5'])
  t.equal(ids.length, 5)
})

const parts = ['a', 'Z', 'ß', 'İ', 'ı', 'é', 'e\u0301', 'আ', 'মিনা', 'ক্ষ', 'ড়', 'سنڌي', 'ڳ', 'آ', '👩‍👩‍👧', '🇧🇩', '\u200d', '\ufeff', '-', '@', '.', '+', ' ', '%', '_', '\\', "'", '"', '½', '©', '한', 'が', '７'] // prettier-ignore
const anyText = fc.oneof(
  fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 8 }).map(some => some.join('')),
  fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).map(s => s.replaceAll('\0', '0'))
)

t.test('whatever is stored is found by every part of its words', async t => {
  const { make, find, workspaceId } = await workspaceOf(kith, 'property')
  const property = fc.asyncProperty(anyText, anyText, fc.nat(), async (firstName, lastName, seed) => {
    const id = await make('contacts', { firstName, lastName })
    const [row] = await kith.database.query<{ text: string; again: string }>(
      sql`select c.search_text as text, search_normal(c.search_text) as again from contacts c
          where c.workspace_id = ${workspaceId} and c.id = ${id}`
    )
    if (row!.text !== row!.again) throw new Error('Folding twice is not folding once')
    const words = row!.text.split(/[\s\x1f]+/).map(word => [...word]) // eslint-disable-line no-control-regex
    const long = words.filter(word => word.length >= 3)
    const word = long[seed % (long.length || 1)]
    if (!word) return
    const from = seed % (word.length - 2)
    const part = word.slice(from, from + 3 + (seed % word.length)).join('')
    if (!(await find(part)).includes(id)) throw new Error(`${JSON.stringify(part)} does not find it`)
  })
  const { failed, errorInstance, counterexample } = await fc.check(property, { numRuns: 150 })
  t.notOk(failed, 'holds', { counterexample, error: String(errorInstance) })
})

t.test('what people type finds what they typed', async t => {
  const { make, find } = await workspaceOf(kith, 'typed')
  const word = fc.array(fc.constantFrom(...parts.filter(p => p.trim() !== '')), {
    minLength: 3,
    maxLength: 6
  })
  const property = fc.asyncProperty(word, fc.boolean(), async (letters, upper) => {
    const id = await make('contacts', { lastName: letters.join('') })
    const typed = letters
      .slice(0, 3)
      .join('')
      .normalize(upper ? 'NFC' : 'NFD')
    // Nothing that can be seen is no word.
    if (typed.replaceAll('\ufeff', '').replaceAll('\u200d', '') === '') return
    if (!(await find(typed)).includes(id)) throw new Error(`${JSON.stringify(typed)} does not find it`)
  })
  const { failed, errorInstance, counterexample } = await fc.check(property, { numRuns: 100 })
  t.notOk(failed, 'holds', { counterexample, error: String(errorInstance) })
})

t.test('a search reads an index and is planned for what is searched', async t => {
  const { workspaceId, find } = await workspaceOf(kith, 'plans')
  const fill = (ws: string) => sql`
    insert into contacts (workspace_id, id, created_at, updated_at, first_name, email)
    select ${ws}::uuid, gen_random_uuid(), now() - n * interval '1 second', now(), md5(n::text), 'p' || n || '@example.com'
    from generate_series(1, 20000) n`
  await kith.database.query(fill(workspaceId))
  await kith.database.query(sql`vacuum analyze contacts`)
  const plan = async (text: string) => {
    const rows = await kith.database.query<{ 'QUERY PLAN': string }>(
      sql`explain select c.id from contacts c where c.workspace_id = ${workspaceId} and c.search_text like search_pattern(${text})
          order by c.created_at desc, c.id desc limit 51`
    )
    return rows.map(r => r['QUERY PLAN']).join('\n')
  }
  t.match(await plan('p17777'), /contacts_search/, 'a rare word')
  t.match(await plan('example'), /contacts_created/, 'a common one, newest first')
  for (let i = 0; i < 8; i++) await find('example')
  const prepared = await kith.database.query(
    sql`select statement from pg_prepared_statements where statement like ${'%from "contacts" t%search_text%'}`
  )
  t.same(prepared, [], 'no plan is kept')
})
