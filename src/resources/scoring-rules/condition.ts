import type { Context } from '../../kernel/context.js'
import { fieldError, KithError } from '../../kernel/errors.js'
import { filterSql } from '../../kernel/filter.js'
import { escapePointer } from '../../kernel/validate.js'
import { leads } from '../leads/resource.js'
import { scoringFilter } from './resource.js'

/** A scoring rule as far as it says which leads it is about. */
export interface ScoringCondition {
  field: string
  condition: Record<string, unknown>
  group: string
}

/** Relations of a lead whose records happened at a time, so that their points can fade. */
export const timedRelations = ['activities', 'touches'] as const

// What is wrong with the names is wrong with the field, all else with the condition.
function located(error: KithError, field: string): KithError {
  const names = field.split('.').map(name => `/${escapePointer(name)}`)
  const path = names.join('')
  const errors = error.errors?.map(({ pointer = '', ...item }) => {
    const inCondition = pointer.startsWith(`${path}/`) || (pointer === path && item.code !== 'unknown_field')
    return { ...item, pointer: inCondition ? `/condition${pointer.slice(path.length)}` : '/field' }
  })
  return new KithError(error.code, error.message, { ...(errors && { errors }), extra: error.extra })
}

const isGroup = (name: string | undefined) => name === 'and' || name === 'or' || name === 'not'

/** What is wrong with a rule, if anything: a 400 that points at its field or into its condition. */
export function conditionProblem(ctx: Context, rule: ScoringCondition): KithError | undefined {
  const { field, group } = rule
  const [root] = field.split('.')
  if (isGroup(root)) {
    return fieldError('invalid_input', '/field', `${root} is not a field of leads.`, 'unknown_field')
  }
  if (group === 'activity' && !timedRelations.some(name => name === root)) {
    const message = `In the group activity a rule is about ${timedRelations.join(' or ')}.`
    return fieldError('invalid_input', '/field', message, 'not_activity')
  }
  try {
    filterSql(ctx, leads, 't', scoringFilter(rule), '')
    return undefined
  } catch (error) {
    if (error instanceof KithError && error.errors) return located(error, field)
    throw error
  }
}
