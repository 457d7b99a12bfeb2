import { graphql } from 'relay-runtime'

/** Read by the Relay compiler, never run: its artifacts stand for them. */
export const documents = () => [
  graphql`
    query relayDocumentsPageQuery($first: Int!, $after: String) {
      contacts(first: $first, after: $after, orderBy: LAST_NAME_ASC)
        @connection(key: "relayDocuments_contacts", filters: ["orderBy"]) {
        edges {
          node {
            id
            lastName
            lifecycleStage
            birthDate
            ...relayDocumentsDeals
          }
        }
        pageInfo {
          hasNextPage
          endCursor
        }
      }
    }
  `,
  graphql`
    fragment relayDocumentsDeals on Contact
    @argumentDefinitions(count: { type: "Int", defaultValue: 5 }, cursor: { type: "String" })
    @refetchable(queryName: "relayDocumentsDealsQuery") {
      deals(first: $count, after: $cursor) @connection(key: "relayDocuments_deals") {
        edges {
          node {
            amount
          }
        }
      }
    }
  `,
  graphql`
    mutation relayDocumentsRenameMutation($input: UpdateContactInput!) {
      updateContact(input: $input) {
        contact {
          lastName
        }
      }
    }
  `
]
