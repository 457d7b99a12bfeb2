import { XMLValidator } from 'fast-xml-parser'
import t from 'tap'
import { jwtSecret, testApp } from './helpers/app.js'
import { makeDeal, makePipeline } from './helpers/funnel.js'
import { runKith } from './helpers/program.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

const app = await testApp(t)
const { call } = app
const svgType = { accept: 'image/svg+xml' }
const wide = await makePipeline(call, ['New <lead>', 'Offer', 'won:won', 'lost:lost'])
for (let n = 0; n < 8; n++) {
  const day = (d: number) => `2026-0${1 + (n % 3)}-${String(d).padStart(2, '0')}T10:00:00Z`
  const history = [['New <lead>', day(1)], ['Offer', day(4 + n)], [n % 3 ? 'won' : 'lost', day(15)]] as const // prettier-ignore
  const fields = { openedAt: day(1), amount: String(100 * n), currency: 'EUR' }
  await makeDeal(call, wide, n === 7 ? history.slice(0, 2) : history, fields)
}

const figures = ((await call('GET', '/v1/metrics')).body.data as Json[]).map(m => ({
  name: m.name as string,
  parameters: (m.parameters as Json[]).map(p => p.name as string),
  byOwner: (m.dimensions as string[]).includes('ownerId')
}))
const drawn: string[] = []

t.test('every figure that has a picture', async t => {
  for (const { name, parameters, byOwner } of figures) {
    const path = `/v1/metrics/${name}`
    const { status, headers, text } = await call('GET', path, undefined, svgType)
    // One that is asked for by POST alone, or has no picture.
    if (status === 405 || status === 406) continue
    drawn.push(name)
    t.match(
      { status, type: headers['content-type'] },
      { status: 200, type: 'image/svg+xml; charset=utf-8' },
      name
    )
    t.match(headers['content-security-policy'], /style-src 'unsafe-inline'/)
    t.equal(XMLValidator.validate(text), true, name)
    t.notMatch(text, /NaN|undefined|\[object/, name)
    const cuts = ['interval=month', 'groupBy=ownerId', 'interval=month&groupBy=ownerId']
    for (const cut of cuts
      .filter(c => byOwner || !c.includes('ownerId'))
      .filter(c => c.split('&').every(p => parameters.includes(p.split('=')[0]!)))) {
      const picture = await call('GET', `${path}?${cut}`, undefined, svgType)
      t.equal(picture.status, 200, `${name} ${cut}`)
      t.equal(XMLValidator.validate(picture.text), true, `${name} ${cut}`)
    }
  }
  t.ok(drawn.includes('funnel') && drawn.includes('win-rate'))
})

t.test('a funnel says what its answer says', async t => {
  const { body } = await call('GET', '/v1/metrics/funnel?to=2026-03-01')
  const { text } = await call('GET', '/v1/metrics/funnel?to=2026-03-01', undefined, svgType)
  t.match(text, /… to 2026-03-01 · UTC/)
  t.match(text, /New &lt;lead&gt;/)
  for (const { reached, conversionFromFirst } of body.value.stages as Json[]) {
    const share = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 1 })
    t.ok(text.includes(`${String(reached)}  ·  ${share.format(conversionFromFirst.value as number)}`))
  }
  const both = await call('GET', '/v1/metrics/funnel', undefined, { accept: 'text/html' })
  t.equal(both.status, 406)
})

t.test('the report has them all, and says which cannot be answered', async t => {
  const page = await call('GET', '/v1/metrics/report?from=2026-01-01&to=2026-04-01')
  t.equal(page.headers['content-type'], 'text/html; charset=utf-8')
  t.equal(page.text.match(/<img alt=/g)?.length, drawn.length)
  t.notMatch(page.text, /<script|http:|https:/)
  t.match(page.text, /2026-01-01 to 2026-04-01/)
  const json = await call('GET', '/v1/metrics/report', undefined, { accept: 'application/json' })
  t.same(
    (json.body.figures as Json[]).map(f => f.metric),
    drawn
  )
  const key = await app.newKey(['metrics:read'])
  const blind = await call('GET', '/v1/metrics/report', undefined, { authorization: `Bearer ${key}` })
  t.equal(blind.status, 200)
  t.equal(blind.text.match(/<img alt=/g), null)
  t.match(blind.text, /class="problem">The scope deals:read is needed/)
  t.equal((await call('GET', '/v1/metrics/report?from=soon')).status, 400)
})

t.test('lead scores are drawn by any method, and where there is nothing to learn from', async t => {
  const draw = async (asked: object) => {
    const { status, text } = await call('POST', '/v1/metrics/lead-score', asked, svgType)
    t.equal(status, 200)
    t.equal(XMLValidator.validate(text), true)
    t.notMatch(text, /NaN|undefined|Nothing to show/)
    return text
  }
  t.match(await draw({ method: 'rules' }), /AUC/)
  t.match(await draw({ features: [{ field: 'industry', kind: 'category' }] }), /AUC/)
  const tenths = await draw({ data: { scores: [0.1, 0.6, 0.8], outcomes: [0, 0, 1] } })
  for (const said of ['Tenth 1', 'expected', 'successes', '80%', '100%']) t.ok(tenths.includes(said), said)
})

t.test('the command line prints figures', async t => {
  const run = (...args: string[]) =>
    runKith(t, ['metrics', ...args, '--workspace', app.workspaceId], {
      DATABASE_URL: app.url,
      JWT_SECRET: jwtSecret
    })
  const [table, json, csv, svg, stalled, scoreSvg, scores, wrong, unknown, refused] = await Promise.all([
    run('funnel', '--from', '2026-01-01'),
    run('funnel', '--format', 'json', '--from', '2026-01-01', '--cohort', 'closed'),
    run('funnel', '--format=csv', '--interval', 'month'),
    run('funnel', '--format', 'svg'),
    run('stalled-deals'),
    run('lead-score', '--format=svg', '--method=rules'),
    run(
      'lead-score',
      '--format=json',
      '--features',
      '[{"field":"industry","kind":"category"}]',
      '--limit=2',
      '--scores'
    ),
    run('lead-score', '--maturityDays', 'x'),
    run('nothing'),
    run('funnel', '--colour', 'red')
  ])
  t.match(table.stdout, /^deals +8$/m)
  t.match(table.stdout, /Offer/)
  t.match(JSON.parse(json.stdout), {
    metric: 'funnel',
    parameters: { cohort: 'closed' },
    value: { deals: 7 }
  })
  t.match(csv.stdout, /^part,/)
  t.equal(XMLValidator.validate(svg.stdout), true)
  t.equal(XMLValidator.validate(scoreSvg.stdout), true)
  t.match(stalled.stdout, /^deals\.amount +700$/m)
  t.match(JSON.parse(scores.stdout), {
    metric: 'lead-score',
    parameters: { features: [{ field: 'industry' }], limit: 2, scores: true }
  })
  t.match(wrong, { code: 1, stderr: /maturityDays must be integer/ })
  t.match(unknown, { code: 1, stderr: /no figure nothing/ })
  t.match(refused, { code: 1, stderr: /colour/ })
})

t.test('a name with signs that no document may hold', async t => {
  await call('PATCH', `/v1/stages/${wide.stage.Offer}`, { name: 'Of\u000bfer\ufffe' })
  const { status, text } = await call('GET', '/v1/metrics/funnel', undefined, svgType)
  t.equal(status, 200)
  t.equal(XMLValidator.validate(text), true)
  t.match(text, /Of\ufffdfer/)
  t.notMatch(text, /[\u000b\ufffe]/) // eslint-disable-line no-control-regex -- it is what must not be there
})
