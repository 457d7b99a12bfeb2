import { Big } from 'big.js'
import t from 'tap'
import { intervalOf, type Chance } from '../src/metrics/models/forecast-interval.js'
import { randomNumbers } from '../src/metrics/models/random.js'

const quantiles = [0.01, 0.1, 0.5, 0.9, 0.99]

const sized = (amount: string) => ({ amount: new Big(amount), size: Number(amount) })

function some(count: number): { deals: Chance[] } {
  const random = randomNumbers(3)
  const drawn = Array.from({ length: 50 }, () => Math.round(random() ** 4 * 100_000))
  const deals = Array.from({ length: count }, (_, i): Chance => {
    // A few large ones among many small ones, so that the total leans to one side.
    const amount = (i % 200 === 0 ? 400_000 * random() : 2_000 * random()).toFixed(2)
    return { ...sized(amount), p: random() * 0.3, ...(i % 7 === 0 && { drawn }) }
  })
  return { deals }
}

t.test('for very many deals the normal law says what draws say', async t => {
  const task = { ...some(4000), quantiles, seed: 1, distribution: false }
  const normal = intervalOf({ ...task, draws: 10_000 })
  t.match(normal, { kind: 'normal', draws: null, seed: null })
  const halves = [0, 1].map(half =>
    intervalOf({ ...task, deals: task.deals.filter((_, i) => i % 2 === half), draws: 10_000 })
  )
  t.same(
    halves.map(h => h.kind),
    ['drawn', 'drawn']
  )
  // What the same law says of half of them is as near to their draws as draws are to each other.
  const [first] = halves
  const half = intervalOf({ ...task, deals: task.deals.filter((_, i) => i % 2 === 0), draws: 20_000 })
  t.equal(half.kind, 'normal')
  const width = Number(first!.quantiles[3]!.total) - Number(first!.quantiles[1]!.total)
  for (const [i, { p, total }] of first!.quantiles.entries()) {
    t.ok(Math.abs(Number(half.quantiles[i]!.total) - Number(total)) < 0.05 * width, `at ${p}`)
  }
})

t.test('a total is never less than nothing nor more than all', async t => {
  const deals = Array.from({ length: 4000 }, (_, i): Chance => ({ ...sized('10'), p: i < 4 ? 1e-4 : 0 }))
  const { kind, quantiles: found } = intervalOf({
    deals,
    quantiles: [0, 0.5, 1],
    seed: 1,
    draws: 10_000,
    distribution: false
  })
  t.equal(kind, 'normal')
  for (const { total } of found) t.ok(Number(total) >= 0 && Number(total) <= 40)
})
