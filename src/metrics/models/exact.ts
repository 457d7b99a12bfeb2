/** Decimals that a text may have. */
const decimals = 18

/** An exact decimal as a whole number of units of 10^-18. */
export function unitsOf(text: string): bigint {
  const [whole, part = ''] = text.replace('-', '').split('.') as [string, string?]
  const units = BigInt(whole + part.padEnd(decimals, '0'))
  return text.startsWith('-') ? -units : units
}

/** The decimal of a number of units, rounded half away from zero to at most so many places. */
export function decimalOf(units: bigint, places = 10): string {
  const cut = 10n ** BigInt(decimals - places)
  const size = units < 0n ? -units : units
  const digits = ((size + cut / 2n) / cut).toString().padStart(places + 1, '0')
  const [whole, part] = [digits.slice(0, -places), digits.slice(-places).replace(/0+$/, '')]
  const text = part ? `${whole}.${part}` : whole
  return units < 0n && text !== '0' ? `-${text}` : text
}

/** A number that was estimated, as units. */
function unitsOfNumber(value: number): bigint {
  const size = Math.abs(value)
  if (size >= 1e21) return BigInt(value) * 10n ** BigInt(decimals)
  // The shortest text of a number has fewer decimals than a unit has, unless it is small.
  return unitsOf(size < 1 ? value.toFixed(decimals) : String(value))
}

/** A number that was estimated, as a decimal of at most ten places. */
export const decimalOfNumber = (value: number): string => decimalOf(unitsOfNumber(value))

const shownUnit = 10n ** 8n

const rounded = (units: bigint) => unitsOf(decimalOf(units)) / shownUnit

/**
 * Estimated shares of an exact total as decimals of at most ten places that add up to it: what rounding leaves over goes
 * to the largest.
 */
export function sharesOf(total: bigint, estimates: readonly number[]): string[] {
  const shares = estimates.map(e => rounded(unitsOfNumber(e)))
  const left = shares.reduce((rest, share) => rest - share, rounded(total))
  const largest = estimates.indexOf(Math.max(...estimates))
  return shares.map((share, i) => decimalOf((i === largest ? share + left : share) * shownUnit))
}
