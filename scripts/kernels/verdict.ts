/** Whether the contract held on all kernels, and whether that was shown by kernels that do lose cancels. */
import { PROCESSORS } from './architecture.js'
import { failureOf, hasLostRaw, isBooted, type Outcome } from './outcome.js'

export interface Verdict {
  passed: number
  failed: number
  /** One for each failure. */
  failures: string[]
}

export interface Expectations {
  /** Whether mode raw was asked to lose something. */
  searchedForLoss: boolean
}

/** Judges all kernels together: every test, every stress run, every boot, and the search for a loss count. */
export function judge(outcomes: readonly Outcome[], { searchedForLoss }: Expectations): Verdict {
  const verdict: Verdict = { passed: 0, failed: 0, failures: [] }
  const check = (failure: string | undefined) => {
    if (failure === undefined) {
      verdict.passed += 1
    } else {
      verdict.failed += 1
      verdict.failures.push(failure)
    }
  }
  const booted = outcomes.filter(isBooted)
  for (const { series, planned, timedOut, seconds, transcript } of booted) {
    for (const result of transcript.results) {
      if (result.skipped === true) continue
      const { tally } = result
      const failure = failureOf(result)
      verdict.passed += tally?.passed ?? 0
      if (tally === undefined || failure !== undefined) {
        check(failure && `${series}: ${failure}`)
        verdict.failed += Math.max(0, (tally?.failed ?? 0) - 1)
      }
    }
    if (transcript.results.length > 0 && transcript.processors !== PROCESSORS) {
      check(`${series}: the guest ran on ${transcript.processors} of ${PROCESSORS} processors`)
    }
    const missing = planned.filter((name) => !transcript.results.some((result) => result.name === name))
    const how = timedOut ? `was killed after ${Math.round(seconds)} s` : 'ended before its time'
    const isSound = transcript.isWhole && missing.length === 0 && !timedOut
    const where = missing.length === 0 ? '' : `, without: ${missing.join('; ')}`
    check(isSound ? undefined : `${series}: the guest ${how}${where}\n${indent(transcript.tail)}`)
  }
  if (booted.length === 0) check('no kernel was booted, so that nothing was shown')
  else if (searchedForLoss) {
    const wasLost = booted.some(hasLostRaw)
    check(wasLost ? undefined : 'mode raw lost nothing on any kernel, so that mode safe proved nothing')
  }
  return verdict
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, '    ')
}
