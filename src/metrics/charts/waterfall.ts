import type { WaterfallChart } from './chart.js'
import { axisLabel, nameAxis, top, valueAxis, type Drawing } from './axes.js'
import { written } from './format.js'
import { light } from './palette.js'

/** Whole bars at the ends, and between them what raised and what lowered the total. */
export function waterfall({ parts, unit }: WaterfallChart): Drawing {
  let level = 0
  const shown = parts.map(({ name, value, whole }) => {
    const before = whole ? 0 : level
    level = whole ? (value ?? level) : level + (value ?? 0)
    return { name, value, whole, low: Math.min(before, level), high: Math.max(before, level) }
  })
  return {
    height: 500,
    option: {
      grid: { left: 28, right: 28, top, bottom: 28, containLabel: true },
      xAxis: {
        ...nameAxis(shown.map(s => s.name)),
        axisLabel: { ...axisLabel, interval: 0, width: 90, overflow: 'break' }
      },
      yAxis: valueAxis(unit),
      series: [
        {
          type: 'custom',
          silent: true,
          encode: { x: 0, y: [1, 2] },
          data: shown.map((s, i) => [i, s.low, s.high]),
          renderItem: (_, api) => {
            const part = shown[Number(api.value(0))]!
            const [x, up] = api.coord([api.value(0), part.high]) as [number, number]
            const [, down] = api.coord([api.value(0), part.low]) as [number, number]
            const wide = Math.min(64, (api.size!([1, 0]) as number[])[0]! * 0.66)
            const { whole, value } = part
            const fill = whole ? light.fifth : (value ?? 0) < 0 ? light.bad : light.second
            const sign = !whole && (value ?? 0) > 0 ? '+' : ''
            const height = value === null ? 0 : Math.max(1.5, down - up)
            return {
              type: 'group',
              children: [
                {
                  type: 'rect',
                  shape: { x: x - wide / 2, y: up, width: wide, height, r: 3 },
                  style: { fill }
                },
                {
                  type: 'text',
                  style: {
                    x,
                    y: up - 10,
                    text: `${sign}${written(unit, value)}`,
                    align: 'center',
                    verticalAlign: 'middle',
                    fontSize: 12,
                    fill: light.ink
                  }
                }
              ]
            }
          }
        }
      ]
    }
  }
}
