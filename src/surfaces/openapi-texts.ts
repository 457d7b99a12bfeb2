export const introduction = `A headless CRM: contacts, companies, deals, their history, and figures about them.

**Credentials.** \`Authorization: Bearer …\` with an access token (\`POST /v1/auth/token\`) or an API key. Each call names
the scope it needs; what a credential may not see answers 404, like what does not exist.

**Lists** are pages: ask on with \`after\` and the page's \`nextCursor\`, or follow the \`Link\` header. Filters are query
parameters (\`email=a@b.c\`, \`createdAt[gte]=2026-01-01\`, \`customFields.tier[in]=gold,silver\`); the search call takes the
same as JSON, with \`and\`, \`or\`, \`not\` and relations.

**Writes** are safe to repeat with an \`Idempotency-Key\`, and to race with \`If-Match\`. In an update an absent field
stays and \`null\` clears.

**Errors** are \`application/problem+json\` with a stable \`code\`, and \`errors\` that point at what is wrong. Unknown
fields and parameters are refused with the nearest known name. Answers may get new fields: clients ignore those they do
not know.

Times are RFC 3339 in UTC, money is a decimal string beside an ISO 4217 currency, ids are UUIDv7.`

/** What the tags without a resource of their own are about. */
export const subjects: Record<string, string> = {
  auth: 'Signing in with a password.',
  me: 'The credential of the call.',
  events: 'The change feed: every change of a record, once and in order per record.',
  metrics: 'Business figures, with their definitions.'
}

/** What parameters and fields of the standard operations mean, where their declaration does not say. */
export const parameterTexts: Record<string, string> = {
  id: 'The id of the record.',
  source: 'The system of the partner.',
  externalId: "The record's id in that system.",
  limit: 'How many to answer at most.',
  after: 'Where to go on: the `nextCursor` of the page before.',
  sort: 'One field, `-` for descending. Empty values come last ascending, first descending.',
  include: 'Relations to embed in each record.',
  fields: 'The only fields to answer, beside `id` and `version`.',
  count: 'Whether `page.totalCount` is wanted.',
  deleted: 'Look into the bin.',
  restore: 'Whether a record in the bin is brought back.',
  resource: 'Only events of this kind of record.',
  recordId: 'Only events of this record.',
  customFields:
    'Fields of your own, each a parameter: `customFields.tier=gold`, `customFields.tier[in]=gold,silver`, `customFields.seats[gte]=10`.'
}
