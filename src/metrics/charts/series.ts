import type { BarChart, LineChart } from './chart.js'
import { axisLabel, label, legend, nameAxis, top, valueAxis, type Drawing } from './axes.js'
import { written } from './format.js'
import { seriesColours } from './palette.js'

/** Upright bars while there are few names, lying ones where names are many or long. */
export function bars({ names, series, unit }: BarChart): Drawing {
  const lying = names.length > 14 || names.some(n => n.length > 14)
  const labelled = names.length * series.length <= 40
  const ends = { name: nameAxis(names), value: valueAxis(unit) }
  return {
    height: lying ? top + 50 + names.length * Math.max(26, 18 * series.length) : 480,
    option: {
      legend: legend(series.map(s => s.name)),
      grid: { left: 28, right: lying ? 80 : 28, top, bottom: 28, containLabel: true },
      xAxis: lying ? ends.value : ends.name,
      yAxis: lying ? { ...ends.name, inverse: true } : ends.value,
      series: series.map(({ name, values }, i) => ({
        type: 'bar',
        name,
        data: values.map(v => v ?? '-'),
        barMaxWidth: 46,
        barGap: '12%',
        itemStyle: {
          color: seriesColours[i % seriesColours.length]!,
          borderRadius: lying ? [0, 4, 4, 0] : [4, 4, 0, 0]
        },
        label: {
          ...label,
          show: labelled,
          position: lying ? 'right' : 'top',
          formatter: ({ value }) => written(unit, Number(value))
        }
      }))
    }
  }
}

/** Lines with a mark where points are few. */
export function lines({ axis, series, stepped, unit }: LineChart): Drawing {
  const most = Math.max(0, ...series.map(s => s.points.length))
  return {
    height: 480,
    option: {
      legend: legend(series.map(s => s.name)),
      grid: { left: 28, right: 40, top, bottom: 48, containLabel: true },
      xAxis: {
        ...(axis.labels ? nameAxis(axis.labels) : { ...valueAxis('number'), splitLine: { show: false } }),
        name: axis.name,
        nameLocation: 'middle',
        nameGap: 34,
        nameTextStyle: axisLabel
      },
      yAxis: { ...valueAxis(unit), ...(unit === 'share' && { min: 0 }) },
      series: series.map(({ name, points }, i) => ({
        type: 'line',
        name,
        data: points.map(([x, y]) => [x, y ?? '-']),
        step: stepped ? 'end' : false,
        showSymbol: most <= 40 && !stepped,
        symbol: 'circle',
        symbolSize: 7,
        lineStyle: { width: 2.5, color: seriesColours[i % seriesColours.length]! },
        itemStyle: { color: seriesColours[i % seriesColours.length]! },
        label: {
          ...label,
          show: most <= 14 && series.length === 1 && !stepped,
          position: 'top',
          formatter: ({ value }) => written(unit, Number((value as number[])[1]))
        }
      }))
    }
  }
}
