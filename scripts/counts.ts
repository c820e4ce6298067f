/** Reading tests off what cargo test and ava print. */

export interface Tally {
  passed: number
  failed: number
  /** Tests that did not run (ignored, skipped, todo): counted as neither, but never silently. */
  notRun: string[]
}

/** Adds up the `test result: …` lines, one for each test binary. */
export function countCargoTests(output: string): Tally {
  const results = [...output.matchAll(/^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;/gm)]
  const sum = (column: number) => results.reduce((total, result) => total + Number(result[column]), 0)
  const names = [...output.matchAll(/^test (.+) \.\.\. ignored/gm)].map(([, name]) => `${name} (ignored)`)
  const unnamed = Array<string>(Math.max(0, sum(3) - names.length)).fill('a test (ignored)')
  return { passed: sum(1), failed: sum(2), notRun: [...names, ...unnamed] }
}

/**
 * Counts the lines of ava's default reporter: one for each test, crashed file or timeout. (Its TAP reporter throws
 * where a test times out or a file exits, and its closing summary leaves out the passes where anything failed.)
 */
export function countAvaTests(output: string): Tally {
  const count = (mark: RegExp) => [...output.matchAll(mark)].length
  const notRun = [...output.matchAll(/^ {2}- \[(skip|todo)\] (.+)$/gm)].map(
    ([, why, title]) => `${title} (${why})`,
  )
  return { passed: count(/^ {2}[✔√] /gm), failed: count(/^ {2}[✘×] /gm), notRun }
}
