import t from 'tap'
import { parse } from 'yaml'
import { testApp } from './helpers/app.js'

const references = (html: string) => [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(m => m[1]!)

t.test('the reference pages', async t => {
  const { app } = await testApp(t)
  for (const page of ['/docs', '/graphiql']) {
    await t.test(`${page} is a page that needs nothing from elsewhere`, async t => {
      const answer = await app.inject(page)
      t.equal(answer.statusCode, 200)
      t.match(answer.headers['content-type'], /^text\/html/)
      t.notMatch(answer.body, /https?:\/\/|"\/\//, 'names no other host')
      t.notMatch(answer.body, /<script>|<style|\son[a-z]+=|style=/, 'has nothing inline')
      const policy = String(answer.headers['content-security-policy'])
      t.match(policy, /default-src 'none'/)
      t.match(policy, /script-src 'self'(;|$)/)
      t.notMatch(policy, /unsafe|https?:|\*/)
      const assets = references(answer.body).filter(href => !href.startsWith('data:'))
      t.ok(assets.length >= 4)
      for (const href of assets) {
        const asset = await app.inject(new URL(href, `http://kith${page}`).pathname)
        t.equal(asset.statusCode, 200, href)
        t.match(asset.headers['content-type'], href.endsWith('.css') ? /css/ : /javascript/, href)
        t.ok(asset.body.length > 0, href)
      }
    })
  }

  await t.test('the scripts ask for addresses that are there', async t => {
    for (const page of ['/docs', '/graphiql']) {
      const script = await app.inject(`${page}/page.js`)
      t.notMatch(script.body, /https?:\/\//)
      const address = /'((?:graphiql\/|openapi)[a-z./]*json)'/.exec(script.body)![1]!
      const answer = await app.inject(`/${address}`)
      t.equal(answer.statusCode, 200, address)
      t.match(answer.headers['content-type'], /^application\/json/)
    }
  })

  await t.test('files of the packages that the pages do not need are not served', async t => {
    for (const path of ['/docs/package.json', '/docs/swagger-ui.js', '/graphiql/..%2fpackage.json']) {
      t.equal((await app.inject(path)).statusCode, 404, path)
    }
  })

  await t.test('other answers keep the closed policy', async t => {
    const answer = await app.inject('/openapi.json')
    t.equal(answer.headers['content-security-policy'], "default-src 'none'; frame-ancestors 'none'")
  })
})

t.test('the contracts are served without a credential', async t => {
  const { app } = await testApp(t)
  const json = await app.inject('/openapi.json')
  t.match(json.headers['content-type'], /^application\/json/)
  const yaml = await app.inject('/openapi.yaml')
  t.match(yaml.headers['content-type'], /^application\/yaml/)
  t.same(parse(yaml.body), json.json())
  const sdl = await app.inject('/schema.graphql')
  t.match(sdl.headers['content-type'], /^text\/plain/)
  t.match(sdl.body, /^type Query \{/m)
  const { __schema } = (await app.inject('/graphiql/schema.json')).json()
  t.equal(__schema.queryType.name, 'Query')
})
