import { settings } from '../src/config.js'

const begin = '<!-- settings -->'
const end = '<!-- /settings -->'

function row(name: string, schema: { default?: string | number; description?: string }): string {
  const value = schema.default === undefined ? '' : `\`${String(schema.default)}\``
  return `| \`${name}\` | ${value} | ${schema.description} |`
}

/** The README with its list of settings written anew from their schema. */
export function withSettings(readme: string): string {
  const rows = Object.entries(settings).map(([name, schema]) => row(name, schema))
  const table = ['| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n')
  const [before, rest] = readme.split(begin)
  const after = rest?.split(end)[1]
  if (before === undefined || after === undefined) throw new Error(`The README lacks ${begin} … ${end}`)
  return `${before}${begin}\n\n${table}\n\n${end}${after}`
}
