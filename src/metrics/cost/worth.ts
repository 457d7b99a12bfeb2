import { Big } from 'big.js'
import type { Context } from '../../kernel/context.js'
import { answer as lifetimeValue, methods } from '../lifetime-value.js'
import type { Request } from '../parameters.js'
import type { Frame } from '../period.js'

/** How the value of a customer is found. */
export const ltvMethods = methods

/** What a customer is worth: in a month, and in all by the method asked for. Null where that is unknown. */
export interface Worth {
  monthly: Big | null
  lifetime: Big | null
}

/** What is asked of the worth of customers. */
export interface WorthRequest {
  margin?: number
  currency?: string
  ltvMethod?: (typeof methods)[number]
}

const known = (value: string | null | undefined) => (value == null ? null : new Big(value))

/** What the customers known as of the figure are worth, whenever they came. */
export async function worthOf(
  ctx: Context,
  { given, place }: Request<WorthRequest>,
  frame: Frame
): Promise<Worth> {
  const { margin = 1, currency, ltvMethod } = given
  const ever = { ...frame, from: null, to: null }
  const stop = ctx.gone?.() ?? new AbortController().signal
  const by = async (method: (typeof methods)[number]) => {
    const asked = { given: { method, margin, ...(currency && { currency }) }, place }
    const found = await lifetimeValue(ctx, asked, ever)
    return (typeof found === 'function' ? await found(stop) : found).value
  }
  const simple = await by('simple')
  const rate = simple.ordersPerMonth ?? null
  const value = known(simple.averageOrderValue)
  const monthly = value === null || rate === null ? null : value.times(rate).times(margin)
  if (ltvMethod === undefined) return { monthly, lifetime: null }
  if (ltvMethod === 'simple') return { monthly, lifetime: known(simple.undiscounted) }
  return { monthly, lifetime: known((await by(ltvMethod)).mean) }
}
