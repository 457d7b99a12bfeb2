import { allResources } from '../../kernel/resource.js'
import type { roles } from './resource.js'

export type Role = (typeof roles)[number]

const guarded = new Set(['users', 'api-keys', 'workspace', 'webhooks'])
const shared = new Set(['pipelines', 'stages'])

const reads = () => [...allResources().map(r => r.permissions.read), 'events:read', 'metrics:read']

const writes = (without: Set<string>) =>
  allResources()
    .filter(r => !guarded.has(r.plural) && !without.has(r.plural))
    .map(r => r.permissions.write)

/** What a role may do. An admin may do everything; a rep leaves the pipelines alone; a viewer changes nothing. */
export function scopesOf(role: Role): string[] {
  switch (role) {
    case 'admin':
      return ['admin']
    case 'manager':
      return [...reads(), ...writes(new Set())]
    case 'rep':
      return [...reads(), ...writes(shared)]
    case 'viewer':
      return reads().filter(s => s !== 'api-keys:read')
  }
}
