import { whereAlpha2 } from 'iso-3166-1'

const currencies = new Intl.DisplayNames('en', { type: 'currency', fallback: 'none' })

// What has the wrong shape is for the pattern beside the format to say.
const codeOf = (shape: RegExp, isKnown: (code: string) => boolean) => (text: string) =>
  !shape.test(text) || isKnown(text)

/** Whether a currency is one of ISO 4217: of today, of former times (`DEM`), or for tests (`XTS`). */
export const isCurrency = codeOf(/^[A-Z]{3}$/, code => currencies.of(code) !== undefined)

/** Whether a country is one of ISO 3166-1 alpha-2 today. */
export const isCountry = codeOf(/^[A-Z]{2}$/, code => whereAlpha2(code) !== undefined)
