import { Closed, GivenAmount, Share, Type, type Static } from '../../kernel/schema.js'
import { inBackground } from '../background.js'
import type { Answered } from '../figure.js'
import { described } from '../parameters.js'
import type { Settings, Value } from './forecast-value.js'

/** Deals to forecast instead of the workspace's. */
export const data = Closed({
  deals: Type.Array(
    Closed({
      amount: described(GivenAmount(), 'What the deal would bring.'),
      p: described(Share(), 'How likely it is won.')
    }),
    { maxItems: 1000, description: 'Open deals.' }
  )
})

const unknown = ['/value/horizonDays', '/value/closedWon/value', '/value/newBusiness/value']

/** The weighted forecast of given deals. */
export async function forecastOfData(
  { deals }: Static<typeof data>,
  settings: Settings,
  stop: AbortSignal | undefined
): Promise<Answered<Value>> {
  const value = await inBackground('forecastOfGiven', { deals, settings }, stop)
  const reasons = Object.fromEntries(unknown.map(pointer => [pointer, 'not_given']))
  return {
    value,
    parameters: {},
    counts: { deals: deals.length },
    excluded: {},
    reasons: {
      ...reasons,
      ...(!value.methods[0]!.distribution && { '/value/methods/0/distribution': 'too_many_totals' })
    }
  }
}
