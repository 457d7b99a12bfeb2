import type { Operation } from '../kernel/operation.js'
import { catalogue } from './catalogue.js'
import { funnel } from './funnel.js'

const figures = [funnel]

/** The calls of all figures, after the catalogue of them. */
export const metricOperations: Operation[] = [
  catalogue(figures.map(f => f.entry)),
  ...figures.flatMap(f => f.operations)
]
