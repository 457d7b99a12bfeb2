import type { Context } from '../../kernel/context.js'
import { operation, value, type Operation } from '../../kernel/operation.js'
import { Bool, Closed } from '../../kernel/schema.js'
import { leads } from '../../resources/leads/resource.js'
import { parameterEntry } from '../catalogue.js'
import type { Computing, Figure } from '../figure.js'
import { asBody, described, fromBody, refused, type Given, type Request } from '../parameters.js'
import { Count } from '../rate.js'
import { leadScores, parameters, scorerOf } from './lead-score.js'
import { writeScores } from './portions.js'
import { leadScoreData, type LeadScoreValue } from './schema.js'

const writeParameter = described(
  Bool(),
  'Sets `score` and `scoreBreakdown` of the leads; needs the scope `leads:write`, and no `asOf` or `knownAt`. GraphQL has the mutation `scoreLeads` for it.',
  false
)

type Asked = Given<typeof parameters>

// What leads show is their score of now, which a look back must not replace.
function refuseLookBack({ given, place }: Request<Asked>): void {
  const moment = (['asOf', 'knownAt'] as const).find(name => given[name] !== undefined)
  if (moment === undefined) return
  const message = `Scores are written as they are now: leave ${moment} out.`
  throw refused(place, moment, message, 'not_allowed')
}

// What is written is scored again in the caller's transaction, by what the answer was found with.
const written = (ctx: Context, answer: { value: LeadScoreValue }): Promise<number> | number => {
  const scorer = scorerOf(answer.value)
  return scorer ? writeScores(ctx, scorer) : 0
}

/** The REST call: with `write` it writes too, so that it is a write that may be repeated under its key. */
const called = (computing: Computing): Operation =>
  operation({
    name: 'metrics.leadScore.post',
    kind: 'write',
    permission: 'metrics:read',
    alsoNeeds: ({ write }) => (write ? [leads.permissions.write] : []),
    atomicFor: ({ write }) => write === true,
    summary:
      'How promising leads are, by what became of earlier ones or by rules; with `write` told to the leads',
    description: leadScores.entry().definition,
    rest: 'POST /metrics/lead-score',
    graphql: null,
    body: asBody({ ...parameters, write: writeParameter }, leadScoreData),
    result: leadScores.result,
    formats: leadScores.formats,
    async run(ctx, { body }) {
      const { write, ...asked } = body as Record<string, unknown>
      const request = fromBody<Asked>(asked)
      if (write === true && request.data !== undefined)
        throw refused('body', 'write', 'write does not go with data.', 'not_allowed')
      if (write === true) refuseLookBack(request)
      const answer = await leadScores.answer(computing, ctx, request)
      if (write === true) await written(ctx, answer)
      return { ...answer, parameters: { ...answer.parameters, write: write ?? false } }
    }
  })

const payload = Closed(
  {
    leadScore: leadScores.result.schema!,
    changed: Count('Leads whose score is another one now.')
  },
  { 'x-type': 'ScoreLeadsPayload', description: 'What leads were scored by, and what that changed.' }
)

/** The mutation: always writes. */
const mutation = (computing: Computing): Operation =>
  operation({
    name: 'metrics.scoreLeads',
    kind: 'write',
    permission: 'metrics:read',
    alsoNeeds: () => [leads.permissions.write],
    atomic: true,
    summary: 'Scores leads as they are now, and sets their `score` and `scoreBreakdown`',
    rest: null,
    graphql: 'scoreLeads',
    body: asBody(parameters, undefined),
    result: value(payload),
    async run(ctx, { body }) {
      const request = fromBody<Asked>(body)
      refuseLookBack(request)
      const leadScore = await leadScores.answer(computing, ctx, request)
      return { leadScore, changed: await written(ctx, leadScore) }
    }
  })

/** How promising leads are, asked for or written to them. */
export const leadScore: Figure = {
  entry() {
    const entry = leadScores.entry()
    return { ...entry, parameters: [...entry.parameters, parameterEntry('write', writeParameter)] }
  },
  operations: computing => [...leadScores.operations(computing), called(computing), mutation(computing)]
}
