import { resource } from '../../kernel/resource.js'
import { Currency, Language, Text, TimeZone } from '../../kernel/schema.js'
import { workspaces as table } from './table.js'

export const workspaces = resource({
  name: 'workspace',
  plural: 'workspace',
  description: 'The tenant: whose records these are, and the defaults of its figures.',
  table,
  fields: {
    name: Text(200),
    timeZone: TimeZone(),
    baseCurrency: Currency(),
    fiscalYearStart: Text(5, { pattern: '^(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$', examples: ['04-01'] }),
    locale: Language()
  },
  filters: [],
  writePermission: 'admin'
})
