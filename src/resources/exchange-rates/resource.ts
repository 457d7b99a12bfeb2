import { resource } from '../../kernel/resource.js'
import { About, Currency, Day, Rate } from '../../kernel/schema.js'
import { exchangeRates as table } from './table.js'

export const exchangeRates = resource({
  name: 'exchangeRate',
  plural: 'exchange-rates',
  description: "What one unit of a currency is worth in the workspace's base currency from a day on.",
  table,
  fields: {
    date: About('From this day of the workspace on, until the next rate.', Day()),
    currency: About('ISO 4217: the currency that is converted.', Currency()),
    rateToBase: About('Units of the base currency for one unit of this one.', Rate())
  },
  filters: ['date', 'currency', 'rateToBase'],
  sorts: ['date'],
  rules: {
    exchange_rates_day_key: {
      pointer: '/date',
      code: 'conflict',
      message: 'The currency has another rate of this day.'
    }
  }
})
