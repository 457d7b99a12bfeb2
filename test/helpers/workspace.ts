import type { Reply, TestApp } from './app.js'

/** A part of an answer, read freely. */
export type Json = Reply['body']

/** A fresh workspace with a key that may do everything in it, and calls that use that key. */
export async function workspaceOf({ newWorkspace, newKey, call, graphql }: TestApp, name: string) {
  const workspaceId = await newWorkspace(name)
  const authorization = `Bearer ${await newKey(['admin'], workspaceId)}`
  const request = (method: string, path: string, body?: unknown) =>
    call(method, path, body, { authorization })
  const make = async (resource: string, body: object): Promise<string> => {
    const reply = await request('POST', `/v1/${resource}`, body)
    if (reply.status !== 201) throw new Error(reply.text)
    return reply.body.id as string
  }
  return {
    workspaceId,
    authorization,
    request,
    make,
    ask: (query: string, variables: object = {}) => graphql(query, variables, { authorization }),
    find: async (search: string, resource = 'contacts'): Promise<string[]> => {
      const query = new URLSearchParams({ search, limit: '200' })
      const reply = await request('GET', `/v1/${resource}?${query.toString()}`)
      if (reply.status !== 200) throw new Error(reply.text)
      return (reply.body.data as Json[]).map(r => r.id as string)
    }
  }
}
