import type { EChartsOption } from 'echarts'
import type { Unit } from './chart.js'
import { fitted, written } from './format.js'
import { light } from './palette.js'

/** What is drawn below the title, and how high the whole picture is. */
export interface Drawing {
  height: number
  option: EChartsOption
}

/** Room for the title. */
export const top = 92
/** Numbers beside what they are about. */
export const label = { fontSize: 12, color: light.ink }
/** The words of an axis. */
export const axisLabel = { fontSize: 12, color: light.quiet }
const axisLine = { lineStyle: { color: light.line } }
const splitLine = { lineStyle: { color: light.line, width: 1 } }

/** An axis of numbers. */
export const valueAxis = (unit: Unit) => ({
  type: 'value' as const,
  axisLabel: { ...axisLabel, formatter: (value: number) => written(unit, value) },
  axisLine: { show: false },
  axisTick: { show: false },
  splitLine
})

/** An axis of names. */
export const nameAxis = (names: string[]) => ({
  type: 'category' as const,
  data: names,
  axisLabel: { ...axisLabel, hideOverlap: true, formatter: (name: string) => fitted(name, 18) },
  axisLine,
  axisTick: { show: false }
})

/** Which series has which colour, where there are several. */
export const legend = (names: string[]) => ({
  show: names.length > 1,
  data: names,
  type: 'plain' as const,
  right: 28,
  top: 24,
  icon: 'roundRect',
  itemWidth: 12,
  itemHeight: 12,
  textStyle: { fontSize: 12, color: light.quiet },
  formatter: (name: string) => fitted(name, 24)
})
