import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { stillMay } from '../kernel/authorize.js'
import type { Context } from '../kernel/context.js'
import { KithError, problem } from '../kernel/errors.js'
import { begin, type Operation, type Portion, type Request } from '../kernel/operation.js'
import type { TSchema } from '../kernel/schema.js'
import { writerOf } from './serialize.js'

/** An element of a stream that can be taken up again. */
interface Positioned {
  sequence: string
  type: string
}

const failed = (error: unknown) => {
  const known = error instanceof KithError ? error : new KithError('internal')
  return `event: error\ndata: ${JSON.stringify(problem(known))}\n\n`
}

const header = 'Last-Event-ID'

// The header stands for the parameter `after`; what is wrong with it is told by its own name.
function namingTheHeader(error: unknown): unknown {
  if (!(error instanceof KithError)) return error
  const named = (text: string) => text.replace(/^after /, `${header} `)
  const errors = error.errors?.map(item =>
    item.parameter === 'after'
      ? { ...item, in: 'header' as const, parameter: header, message: named(item.message) }
      : item
  )
  return new KithError(error.code, named(error.message), { ...(errors && { errors }), extra: error.extra })
}

/** Answers a stream as server-sent events; a reader that is slow is waited for, so that nothing piles up. */
export function sseRoute(operation: Operation, context: (request: FastifyRequest) => Context) {
  const write = writerOf(operation.result.schema as TSchema)

  async function* frames(ctx: Context, request: FastifyRequest, portions: AsyncIterable<Portion>) {
    yield 'retry: 1000\n\n'
    try {
      for await (const { data, position } of portions) {
        if (!(await stillMay(ctx))) return
        const events = data as readonly Positioned[]
        // Who finds nothing for long comes back to where the stream has looked, not to what may be forgotten by then.
        yield events.length === 0
          ? `:\nid: ${position}\n\n`
          : events.map(e => `id: ${e.sequence}\nevent: ${e.type}\ndata: ${write(e)}\n\n`).join('')
      }
    } catch (error) {
      request.log.warn({ err: error }, 'a stream broke')
      yield failed(error)
    }
  }

  return async (request: FastifyRequest, reply: FastifyReply, given: Request): Promise<FastifyReply> => {
    // A browser that has seen no event yet may send it empty.
    const last = request.headers['last-event-id'] || undefined
    const query = { ...given.query, ...(last !== undefined && { after: last }) }
    const ctx = context(request)
    const portions = await begin(ctx, operation, { ...given, query }).catch((error: unknown) => {
      throw last === undefined ? error : namingTheHeader(error)
    })
    void reply.headers({
      'content-type': 'text/event-stream; charset=utf-8',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no'
    })
    return reply.send(request.method === 'HEAD' ? undefined : Readable.from(frames(ctx, request, portions)))
  }
}
