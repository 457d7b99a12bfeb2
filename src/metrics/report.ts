import type { Context } from '../kernel/context.js'
import { KithError } from '../kernel/errors.js'
import { operation, value, type Operation } from '../kernel/operation.js'
import { Closed, Text, Type } from '../kernel/schema.js'
import { JsonValue } from '../kernel/standard-schemas.js'
import { CurrencyParameter } from './currency.js'
import type { Computing, Figure, Portrait } from './figure.js'
import {
  asQuery,
  commonParameters,
  described,
  fromQuery,
  PipelineParameter,
  type Given
} from './parameters.js'
import { frameOf } from './period.js'
import { reportPage } from './report-page.js'

const { explain: _explain, explainAfter: _explainAfter, ...common } = commonParameters

const parameters = { ...common, pipelineId: PipelineParameter(), currency: CurrencyParameter() }

/** A figure of a report: what it answers, or why it does not. */
export interface Section {
  metric: string
  summary: string
  definition: string
  portrait: Portrait | undefined
  problem: string | undefined
}

/** All figures of a period. */
export interface Report {
  given: Given<typeof parameters>
  sections: Section[]
}

const result = value(
  Closed(
    {
      figures: Type.Array(
        Closed(
          {
            metric: described(Text(100), 'The figure, as the catalogue has it.'),
            answer: JsonValue('What it answers; null where it does not.'),
            problem: Type.Optional(described(Text(2000), 'Why it does not.'))
          },
          { 'x-type': 'MetricReportFigure', description: 'A figure of a report.' }
        )
      )
    },
    { 'x-type': 'MetricReport', description: 'All figures of a period.' }
  )
)

const asJson = ({ sections }: Report) =>
  JSON.stringify({
    figures: sections.map(({ metric, portrait, problem }) => ({
      metric,
      answer: portrait?.answer ?? null,
      ...(problem !== undefined && { problem })
    }))
  })

async function section(figure: Figure, computing: Computing, ctx: Context, given: object): Promise<Section> {
  const { name: metric, definition } = figure.entry()
  const { summary } = figure.operations(computing)[0]!
  const found = { metric, summary, definition, portrait: undefined, problem: undefined }
  try {
    return {
      ...found,
      portrait: await figure.portrait!(computing, ctx, { given: { ...given }, place: 'query' })
    }
  } catch (error) {
    // What one figure needs, a scope or a parameter, does not keep the others from being shown.
    if (!(error instanceof KithError)) throw error
    return { ...found, problem: error.message }
  }
}

/** The call that shows every figure of a period on one page to print. */
export const report = (figures: readonly Figure[], computing: Computing): Operation =>
  operation({
    name: 'metrics.report',
    kind: 'read',
    permission: 'metrics:read',
    summary: 'A page to print with every figure of a period',
    description: 'HTML unless JSON is asked for; figures that need a parameter of their own say so.',
    rest: 'GET /metrics/report',
    graphql: null,
    query: asQuery(parameters),
    result,
    formats: {
      // Formats and schema show a report as they need it; what `run` makes has more than the schema says.
      'text/html': report => reportPage(report as unknown as Report),
      'application/json': report => asJson(report as unknown as Report)
    },
    async run(ctx, query) {
      const { given } = fromQuery<Given<typeof parameters>>(parameters, query)
      // What is wrong with the period is wrong for every figure, and no section of its own.
      await frameOf(ctx, { given, place: 'query' })
      const sections: Section[] = []
      // One after the other: a report is not to take all connections that figures have.
      for (const figure of figures) {
        if (figure.portrait) sections.push(await section(figure, computing, ctx, given))
      }
      // As above: the formats write it.
      return { given, sections } as never
    }
  })
