/** What of the API does not hold in a runtime: the table in the README says the same. */
import type { Runtime } from './runtimes.js'

export interface Exception {
  why: string
}

const EXCEPTIONS: Record<Runtime['kind'], Record<string, Exception>> = {
  node: {},
  bun: {},
  deno: {},
}

/** By the names of the features: they are tried and told of, but what comes of them is chance, and fails nothing. */
export function exceptionsOf({ kind }: Runtime): Record<string, Exception> {
  return EXCEPTIONS[kind]
}
