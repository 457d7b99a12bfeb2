import { init, type EChartsOption } from 'echarts'
import type { Chart } from './chart.js'
import type { Drawing } from './axes.js'
import { funnel } from './funnel.js'
import { heatMap } from './heat.js'
import { bars, lines } from './series.js'
import { waterfall } from './waterfall.js'
import { darkStyle, light } from './palette.js'
import { fitted } from './format.js'

const width = 960
const font = 'system-ui, -apple-system, Segoe UI, Roboto, Noto Sans, sans-serif'

function drawingOf(chart: Chart): Drawing {
  switch (chart.kind) {
    case 'funnel':
      return funnel(chart)
    case 'bars':
      return bars(chart)
    case 'lines':
      return lines(chart)
    case 'heat':
      return heatMap(chart)
    case 'waterfall':
      return waterfall(chart)
  }
}

const frame = ({ title, subtitle }: Chart): EChartsOption => ({
  animation: false,
  backgroundColor: light.paper,
  textStyle: { fontFamily: font, color: light.ink },
  title: {
    text: fitted(title, 80),
    subtext: fitted(subtitle, 120),
    left: 28,
    top: 20,
    itemGap: 8,
    textStyle: { fontSize: 20, fontWeight: 600, color: light.ink },
    subtextStyle: { fontSize: 13, color: light.quiet }
  }
})

const isEmpty = (chart: Chart): boolean => {
  switch (chart.kind) {
    case 'funnel':
      return chart.steps.length === 0
    case 'bars':
      return chart.names.length === 0
    case 'lines':
      return chart.series.every(s => s.points.length === 0)
    case 'heat':
      return chart.cells.length === 0
    case 'waterfall':
      return chart.parts.length === 0
  }
}

const nothing: Drawing = {
  height: 220,
  option: {
    graphic: {
      type: 'text',
      left: 'center',
      top: 130,
      style: { text: 'Nothing to show for this period.', fontSize: 14, fill: light.quiet }
    }
  }
}

const escaped = (text: string) => text.replace(/[&<>"]/g, sign => `&#${sign.codePointAt(0)!};`)

/**
 * The chart as an SVG document of its own: no scripts, no references, dark where its reader prefers that, with its
 * title and subtitle as text for those who cannot see it.
 */
export function draw(chart: Chart): string {
  const { height, option } = isEmpty(chart) ? nothing : drawingOf(chart)
  const canvas = init(null, null, { renderer: 'svg', ssr: true, width, height })
  try {
    canvas.setOption({ ...frame(chart), ...option })
    const about = `<title>${escaped(chart.title)}</title><desc>${escaped(chart.subtitle)}</desc>`
    return (
      canvas
        .renderToSVGString()
        .replaceAll(/ ecmeta_\w+="[^"]*"/g, '')
        .replaceAll(/ class="zr\d+-cls-\d+"/g, '')
        .replaceAll(/ stroke="[^"]*"(?= stroke-width="0")/g, '')
        // Its names count all pictures that the process has drawn.
        .replaceAll(/zr\d+-c/g, 'c')
        .replace(/<style[^>]*>[\s\S]*?<\/style>/, '')
        .replace(/<svg([^>]*)>/, `<svg$1 role="img">${about}<style>${darkStyle}</style>`)
        // No document may hold these signs, in whatever form.
        .replaceAll(/(?![\t\n\r])[\p{Cc}\p{Cs}\ufffe\uffff]/gu, '\ufffd')
    )
  } finally {
    // Else its clock would run on.
    canvas.dispose()
  }
}
