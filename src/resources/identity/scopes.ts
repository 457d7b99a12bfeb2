import { fieldError, type KithError } from '../../kernel/errors.js'
import { allResources } from '../../kernel/resource.js'
import { suggestion } from '../../kernel/validate.js'

const knownScopes = () => [
  'admin',
  'events:read',
  'metrics:read',
  ...allResources().flatMap(r => [r.permissions.read, `${r.plural}:write`])
]

/** What is wrong with a list of scopes, if anything: a 400 that points at the one we do not know. */
export function refuseScopes(scopes: readonly string[]): KithError | undefined {
  const known = [...new Set(knownScopes())]
  const index = scopes.findIndex(s => !known.includes(s))
  if (index < 0) return undefined
  const hint = suggestion(scopes[index]!, known)
  const message = `${scopes[index]} is not a scope.${hint}`
  return fieldError('invalid_input', `/scopes/${index}`, message, 'unknown_scope')
}
