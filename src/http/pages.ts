const page = (title: string, styles: string[], scripts: string[]) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>${title}</title>
    <link rel="icon" href="data:,">
${styles.map(href => `    <link rel="stylesheet" href="${href}">`).join('\n')}
  </head>
  <body>
    <main id="page"></main>
${scripts.map(src => `    <script src="${src}"></script>`).join('\n')}
  </body>
</html>
`

/** The REST reference. Addresses are relative, so that a proxy may put the whole under a path of its own. */
export const docsPage = page(
  'Kith REST API',
  ['docs/swagger-ui.css', 'docs/page.css'],
  ['docs/swagger-ui-bundle.js', 'docs/page.js']
)

export const docsStyle = `body { margin: 0 }
`

export const docsScript = `SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#page',
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  filter: true,
  validatorUrl: null
})
`

/** The GraphQL editor. */
export const graphiqlPage = page(
  'Kith GraphQL API',
  ['graphiql/graphiql.min.css', 'graphiql/page.css'],
  [
    'graphiql/react.production.min.js',
    'graphiql/react-dom.production.min.js',
    'graphiql/graphiql.min.js',
    'graphiql/page.js'
  ]
)

export const graphiqlStyle = `body { margin: 0 }
#page { height: 100dvh }
`

// The schema comes from its file, so that it can be read before there is a credential.
export const graphiqlScript = `const address = new URL('graphql', location.href)
const fetcher = GraphiQL.createFetcher({
  url: address.href,
  subscriptionUrl: address.href.replace(/^http/, 'ws')
})
const editor = schema =>
  React.createElement(GraphiQL, {
    fetcher,
    schema,
    defaultEditorToolsVisibility: 'headers',
    defaultHeaders: '{\\n  "Authorization": "Bearer "\\n}',
    defaultQuery: '# Put a token or an API key into the headers.\\n{\\n  me {\\n    workspaceName\\n    scopes\\n  }\\n}\\n'
  })
fetch('graphiql/schema.json')
  .then(answer => answer.json())
  .then(schema => ReactDOM.createRoot(document.getElementById('page')).render(editor(schema)))
`
