import type { Report, Section } from './report.js'

const signs: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string) => text.replace(/[&<>"]/g, sign => signs[sign]!)

const style = `
:root{color-scheme:light dark;font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
body{margin:0 auto;max-width:60rem;padding:2rem 1.5rem 4rem}
h1{font-size:1.8rem;margin:0}
h1+p{color:GrayText;margin:.25rem 0 2rem}
section{break-inside:avoid;margin:0 0 2.5rem}
h2{font-size:1.15rem;margin:0 0 .5rem}
img{border:1px solid color-mix(in srgb,GrayText 30%,transparent);border-radius:8px;display:block;height:auto;width:100%}
.problem{border:1px dashed GrayText;border-radius:8px;color:GrayText;padding:1rem}
details{color:GrayText;font-size:.85rem;margin-top:.5rem}
@media print{body{max-width:none;padding:0}details{display:none}}`

const pictureOf = ({ svg }: { svg: string }, summary: string) =>
  `<img alt="${escaped(summary)}" src="data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}">`

function sectionOf({ summary, definition, portrait, problem }: Section): string {
  const shown = portrait
    ? pictureOf(portrait, summary)
    : `<p class="problem">${escaped(problem ?? 'There is no answer.')}</p>`
  return `<section><h2>${escaped(summary)}</h2>${shown}<details><summary>Definition</summary>${escaped(definition)}</details></section>`
}

const period = ({ from, to }: Report['given']) =>
  from === undefined && to === undefined ? 'All time' : `${from ?? '…'} to ${to ?? 'now'}`

/** A report as a page of HTML that loads nothing: its pictures are within it. */
export function reportPage({ given, sections }: Report): string {
  const about = escaped([period(given), given.timeZone, given.currency].filter(Boolean).join(' · '))
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Figures · ${about}</title><style>${style}</style></head>
<body><h1>Figures</h1><p>${about}</p>
${sections.map(sectionOf).join('\n')}
</body>
</html>
`
}
