import { XMLValidator } from 'fast-xml-parser'
import t from 'tap'
import type { Chart } from '../src/metrics/charts/chart.js'
import { draw } from '../src/metrics/charts/draw.js'
import { fitted, written } from '../src/metrics/charts/format.js'

const titled = { title: 'What <b>sold</b> & "why"', subtitle: 'গ্রাহক · 2026 · سنڌي 😀' }
const months = ['Jan', 'Feb', 'Mar']

const charts: Record<Chart['kind'], { chart: Chart; says: string[] }> = {
  funnel: {
    chart: {
      kind: 'funnel',
      ...titled,
      steps: [
        { name: 'Lead', value: 1200, share: 1 },
        { name: 'Proposal sent to a customer abroad', value: 90, share: 0.075 },
        { name: 'Won', value: 0, share: null }
      ]
    },
    says: ['Lead', 'Proposal sent to a custom…', '1,200  ·  100%', '90  ·  7.5%', '0  ·  –']
  },
  bars: {
    chart: {
      kind: 'bars',
      unit: 'share',
      ...titled,
      names: months,
      series: [
        { name: '2025', values: [0.5, null, 0.25] },
        { name: '2026', values: [0.125, 1, 0] }
      ]
    },
    says: ['Jan', '2025', '2026', '50%', '25%', '12.5%', '100%']
  },
  lines: {
    chart: {
      kind: 'lines',
      unit: 'money',
      ...titled,
      axis: { name: 'month', labels: months },
      series: [
        {
          name: 'won',
          points: [
            [0, 1200],
            [1, null],
            [2, 3_400_000]
          ]
        }
      ]
    },
    says: ['month', 'Feb', '1,200', '3.4M']
  },
  heat: {
    chart: {
      kind: 'heat',
      unit: 'share',
      ...titled,
      rows: [{ name: '2026-01', size: 40 }],
      columns: ['0', '1'],
      cells: [
        { row: 0, column: 0, value: 1, complete: true },
        { row: 0, column: 1, value: 0.5, complete: false }
      ]
    },
    says: ['2026-01  (40)', '100%', '50%*']
  },
  waterfall: {
    chart: {
      kind: 'waterfall',
      unit: 'money',
      ...titled,
      parts: [
        { name: 'Open at start', value: 500, whole: true },
        { name: 'Won', value: -140, whole: false },
        { name: 'Created', value: 40, whole: false },
        { name: 'Open at end', value: 400, whole: true }
      ]
    },
    says: ['Open at start', '-140', '+40', 'Open at end']
  }
}

const texts = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map(([, text]) => text)
const colours = (svg: string) =>
  new Set([...svg.matchAll(/(?:fill|stroke)="(#[0-9a-f]+)"/g)].map(([, colour]) => colour!))

for (const [kind, { chart, says }] of Object.entries(charts)) {
  t.test(`a picture of the kind ${kind}`, async t => {
    const svg = draw(chart)
    t.equal(XMLValidator.validate(svg), true)
    t.match(svg, /<title>What &#60;b&#62;sold&#60;\/b&#62; &#38; &#34;why&#34;<\/title>/)
    t.ok(svg.includes(titled.subtitle))
    for (const text of says) t.ok(texts(svg).includes(text), text)
    t.notMatch(svg, /<script|href=|undefined|NaN/)
    const [style = '', drawing = ''] = svg.split('</style>')
    const kept = [...colours(drawing)].filter(c => !style.includes(`[fill="${c}"]`) && c !== '#000')
    t.same(kept, [], 'every colour has another one on dark paper')
    t.equal(draw(chart), svg, 'the same picture again')
  })
}

t.test('a chart of nothing says so', async t => {
  const empty: Chart[] = [
    { kind: 'funnel', ...titled, steps: [] },
    { kind: 'bars', unit: 'count', ...titled, names: [], series: [] },
    { kind: 'lines', unit: 'count', ...titled, axis: { name: 'days' }, series: [] },
    { kind: 'heat', unit: 'share', ...titled, rows: [], columns: [], cells: [] },
    { kind: 'waterfall', unit: 'money', ...titled, parts: [] }
  ]
  for (const chart of empty) {
    const svg = draw(chart)
    t.equal(XMLValidator.validate(svg), true)
    t.ok(texts(svg).includes('Nothing to show for this period.'), chart.kind)
  }
})

t.test('numbers as a person reads them', async t => {
  t.equal(written('count', 1234567), '1.2M')
  t.equal(written('share', 0.12345), '12.3%')
  t.equal(written('days', 3.14159), '3.1 d')
  t.equal(written('number', 2.346), '2.35')
  t.equal(written('money', null), '–')
  t.equal(fitted('😀😀😀😀', 3), '😀😀…')
})
