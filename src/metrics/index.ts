import type { Operation } from '../kernel/operation.js'
import { catalogue } from './catalogue.js'
import { funnel } from './funnel.js'
import { lifetimeValue } from './lifetime-value.js'

const figures = [funnel, lifetimeValue]

/** The calls of all figures, after the catalogue of them. */
export const metricOperations: Operation[] = [
  catalogue(figures.map(f => f.entry)),
  ...figures.flatMap(f => f.operations)
]
