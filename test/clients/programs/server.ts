/** Where the programs of this folder call, and with which key. */
export interface Server {
  origin: string
  key: string
}

/** The last names of the contacts there are, in the order that the programs read them. */
export const people = ['Ahmed', 'Begum', 'Chowdhury', 'Das', 'Ejaz']
