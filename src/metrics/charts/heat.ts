import type { HeatChart } from './chart.js'
import { axisLabel, nameAxis, top, type Drawing } from './axes.js'
import { fitted, written } from './format.js'
import { cellInk, heat } from './palette.js'

function shade(value: number, least: number, greatest: number): number {
  const depth =
    greatest === least ? 3 : Math.round(((value - least) / (greatest - least)) * (heat.length - 1))
  return Math.min(heat.length - 1, Math.max(0, depth))
}

/** A cohort a row, with its size; cells of periods that are not over have a star. */
export function heatMap({ rows, columns, cells, unit }: HeatChart): Drawing {
  const values = cells.filter(c => c.column > 0).map(c => c.value)
  const [least, greatest] = [Math.min(...values, 1), Math.max(...values, 0)]
  const labelled = columns.length <= 16
  return {
    height: top + 60 + Math.max(1, rows.length) * 30,
    option: {
      grid: { left: 28, right: 28, top: top + 22, bottom: 20, containLabel: true },
      xAxis: { ...nameAxis(columns), position: 'top', axisLine: { show: false } },
      yAxis: {
        ...nameAxis(rows.map(r => `${fitted(r.name, 14)}  (${written('count', r.size)})`)),
        inverse: true,
        axisLine: { show: false },
        axisLabel: { ...axisLabel, interval: 0 }
      },
      series: [
        {
          type: 'custom',
          silent: true,
          encode: { x: 0, y: 1 },
          data: cells.map(({ row, column }, i) => [column, row, i]),
          renderItem: (_, api) => {
            const { value, complete } = cells[Number(api.value(2))]!
            const depth = shade(value, least, greatest)
            const [x, y] = api.coord([api.value(0), api.value(1)]) as [number, number]
            const [wide, high] = api.size!([1, 1]) as [number, number]
            const text = `${written(unit, value)}${complete ? '' : '*'}`
            const fill = depth > 3 ? cellInk.high : cellInk.low
            return {
              type: 'group',
              children: [
                {
                  type: 'rect',
                  shape: {
                    x: x - wide / 2 + 1,
                    y: y - high / 2 + 1,
                    width: wide - 2,
                    height: high - 2,
                    r: 3
                  },
                  style: { fill: heat[depth]! }
                },
                {
                  type: 'text',
                  invisible: !labelled,
                  style: { x, y, text, fill, align: 'center', verticalAlign: 'middle', fontSize: 11 }
                }
              ]
            }
          }
        }
      ]
    }
  }
}
