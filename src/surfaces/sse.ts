import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { stillMay } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { KithError, problem } from '../kernel/errors.js'
import { begin, type Operation, type Request } from '../kernel/operation.js'
import type { TSchema } from '../kernel/schema.js'
import { writerOf } from './serialize.js'

/** An element of a stream that can be taken up again. */
interface Positioned {
  sequence: string
  type: string
}

/** Asks again who a request's credential stands for; throws where it no longer does. */
export type Renew = (request: FastifyRequest) => Promise<Context>

const failed = (error: unknown) => {
  const known = error instanceof KithError ? error : new KithError('internal')
  return `event: error\ndata: ${JSON.stringify(problem(known))}\n\n`
}

/** Answers a stream as server-sent events; a reader that is slow is waited for, so that nothing piles up. */
export function sseRoute(operation: Operation, context: (request: FastifyRequest) => Context, renew: Renew) {
  const write = writerOf(operation.result.schema as TSchema)

  async function* frames(ctx: Context, request: FastifyRequest, portions: AsyncIterable<readonly unknown[]>) {
    yield 'retry: 1000\n\n'
    try {
      for await (const portion of portions) {
        if (!(await stillMay(ctx, () => renew(request)))) return
        const events = portion as readonly Positioned[]
        yield events.length === 0
          ? ':\n\n'
          : events.map(e => `id: ${e.sequence}\nevent: ${e.type}\ndata: ${write(e)}\n\n`).join('')
      }
    } catch (error) {
      request.log.warn({ err: error }, 'a stream broke')
      yield failed(error)
    }
  }

  return async (request: FastifyRequest, reply: FastifyReply, given: Request): Promise<FastifyReply> => {
    const last = request.headers['last-event-id']
    const query = { ...given.query, ...(last !== undefined && { after: last }) }
    const ctx = context(request)
    const portions = await begin(ctx, operation, { ...given, query })
    return reply
      .headers({
        'content-type': 'text/event-stream; charset=utf-8',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no'
      })
      .send(Readable.from(frames(ctx, request, portions)))
  }
}
