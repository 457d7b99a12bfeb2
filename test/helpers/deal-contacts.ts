import type { Test } from 'tap'
import { testApp, type TestApp } from './app.js'
import { done, makePipeline } from './funnel.js'

type Json = Record<string, any> // eslint-disable-line @typescript-eslint/no-explicit-any -- answers are read freely

interface World extends TestApp {
  /** Contacts by their first names. */
  contact: Record<string, string>
  stageId: string
  deal(body?: object): Promise<Json>
}

export const names = ['Amina', 'Babul', 'Chandra']

/** The program with a stage for deals, and a contact of each name. */
export async function newWorld(t: Test): Promise<World> {
  const app = await testApp(t)
  const { stage } = await makePipeline(app.call, ['new', 'won:won'])
  const contact: Record<string, string> = {}
  for (const firstName of names) {
    contact[firstName] = (await done(app.call('POST', '/v1/contacts', { firstName }))).id as string
  }
  const stageId = stage.new!
  return {
    ...app,
    contact,
    stageId,
    deal: body => done(app.call('POST', '/v1/deals', { name: 'Deal', stageId, ...body }))
  }
}
