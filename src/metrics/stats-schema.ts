import { Closed, Nullable, Number as AnyNumber } from '../kernel/schema.js'
import { Count } from './rate.js'

const number = () => Nullable(AnyNumber())

/** What a sample looks like: days, unless named. */
export const Stats = () =>
  Closed(
    {
      n: Count('How many there are.'),
      mean: number(),
      median: number(),
      p25: number(),
      p75: number(),
      p90: number(),
      min: number(),
      max: number()
    },
    {
      'x-type': 'MetricStats',
      description: 'A sample: quantiles by linear interpolation between order statistics (type 7).'
    }
  )
