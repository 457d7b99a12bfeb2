import { resource } from '../../kernel/resource.js'
import { About, Enum, Integer, JsonObject, Nullable, Text } from '../../kernel/schema.js'
import { scoringRules as table } from './table.js'

/** What a rule speaks of: who the lead is, how far it was qualified, or what happened with it. */
export const scoringGroups = ['fit', 'bant', 'activity'] as const

export const scoringRules = resource({
  name: 'scoringRule',
  plural: 'scoring-rules',
  description: 'Points that a lead gets where a field of it meets a condition: the parts of its score.',
  table,
  fields: {
    field: About(
      'What the condition is about: a filterable field of leads, `customFields.tier`, a relation or a field of one (`company.employeeCount`, `activities`).',
      Text(150, { examples: ['industry', 'company.employeeCount', 'activities.type'] })
    ),
    condition: JsonObject(
      'What it must meet, in the filter language: operators of a field (`{ "in": ["Retail"] }`), or a filter of a relation\'s records.',
      { in: ['Retail'] }
    ),
    points: About(
      'What a match adds to the score; less than 0 takes away. In the group activity each record that matches adds them.',
      Integer(-1000000, 1000000)
    ),
    group: About(
      "Fit: who the lead is; bant: budget, authority, need and timeline; activity: the lead's `activities` or `touches`, whose points fade.",
      Enum('ScoringGroup', scoringGroups)
    ),
    halfLifeDays: About(
      'After how many days only half of the points of an activity are left; null: they do not fade.',
      Nullable(Integer(1, 36500))
    )
  },
  filters: ['field', 'points', 'group', 'halfLifeDays'],
  rules: {
    scoring_rules_half_life: {
      pointer: '/halfLifeDays',
      code: 'not_activity',
      message: 'Only rules of the group activity have a half-life.'
    }
  }
})

/** The filter on leads that a rule stands for: `company.country` with `{ eq }` becomes `{ company: { country: { eq } } }`. */
export const scoringFilter = ({
  field,
  condition
}: {
  field: string
  condition: Record<string, unknown>
}): Record<string, unknown> => field.split('.').reduceRight((inner, name) => ({ [name]: inner }), condition)
