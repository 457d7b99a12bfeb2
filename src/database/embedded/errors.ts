/** The `code` of a system or PostgreSQL error. */
export const codeOf = (error: unknown) => (error as { code?: string } | undefined)?.code

/** Error handler that answers `undefined` for these error codes and throws everything else. */
export const ignoring =
  (...codes: string[]) =>
  (error: unknown): undefined => {
    if (!codes.includes(codeOf(error) ?? '')) throw error
  }
