const channels = Array.from({ length: 60 }, (_, i) => `channel ${i}`)

/** Journeys over so many channels that samples of them keep a core busy for minutes. */
export const journeys = channels.map((key, i) => ({
  path: [key, channels[(i * 7 + 1) % 60], channels[(i * 13 + 2) % 60], channels[(i * 29 + 3) % 60]],
  conversions: 2,
  nulls: 3,
  value: '10'
}))

/** What is asked of attribution to have them so. */
export const longModel = { models: ['markov'], markovOrder: 3, bootstrap: 1000, data: { journeys } }
