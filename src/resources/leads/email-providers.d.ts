declare module 'email-providers' {
  /** The domains under which providers give mailboxes to everybody. */
  const domains: readonly string[]
  export default domains
}
