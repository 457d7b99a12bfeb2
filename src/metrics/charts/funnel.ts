import type { FunnelChart } from './chart.js'
import { top, type Drawing } from './axes.js'
import { fitted, written } from './format.js'
import { light } from './palette.js'

/** Centred bars that narrow from step to step, each with its number and its share of the first. */
export function funnel({ steps }: FunnelChart): Drawing {
  const widest = Math.max(1, ...steps.map(s => s.value))
  const shown = steps.map(({ name, value, share }) => ({
    name: fitted(name, 26),
    value,
    text: `${written('count', value)}  ·  ${written('share', share)}`,
    wide: value > widest * 0.25
  }))
  return {
    height: top + 40 + Math.max(1, steps.length) * 48,
    option: {
      grid: { left: 200, right: 150, top, bottom: 28 },
      xAxis: { type: 'value', show: false, min: -widest / 2, max: widest / 2 },
      yAxis: {
        type: 'category',
        inverse: true,
        data: shown.map(s => s.name),
        axisLabel: { fontSize: 13, color: light.ink },
        axisLine: { show: false },
        axisTick: { show: false }
      },
      series: [
        {
          type: 'bar',
          stack: 'steps',
          silent: true,
          barCategoryGap: '18%',
          itemStyle: { color: 'transparent' },
          data: shown.map(s => -s.value / 2)
        },
        {
          type: 'custom',
          silent: true,
          data: shown.map((s, i) => [0, i, s.value]),
          renderItem: (_, api) => {
            const value = Number(api.value(2))
            const step = shown[Number(api.value(1))]!
            const [left, middle] = api.coord([-value / 2, api.value(1)]) as [number, number]
            const [right] = api.coord([value / 2, api.value(1)]) as [number, number]
            const text = step.wide
              ? { x: (left + right) / 2, align: 'center' as const, fill: light.paper }
              : { x: right + 10, align: 'left' as const, fill: light.ink }
            return {
              type: 'group',
              children: [
                {
                  type: 'rect',
                  shape: { x: left, y: middle - 18, width: Math.max(2, right - left), height: 36, r: 5 },
                  style: { fill: light.first }
                },
                {
                  type: 'text',
                  style: { ...text, y: middle, text: step.text, verticalAlign: 'middle', fontSize: 13 }
                }
              ]
            }
          }
        }
      ]
    }
  }
}
