/** One operation many times at once: what each of them got, in one line. */
import type { Settled } from './messages.js'
import type { Subject } from './operations.js'

/** The data of each is another. */
export function nth(subject: Subject, index: number): Subject {
  return { ...subject, seed: subject.seed + index, times: 1 }
}

/** Results in the order of their calls, the same ones counted: `4096 x 4, 0 x 60`. */
export function together(all: readonly Settled[]): Settled {
  const runs: { result: string; times: number }[] = []
  for (const { result } of all) {
    const last = runs.at(-1)
    if (last?.result === result) last.times += 1
    else runs.push({ result, times: 1 })
  }
  const data = all.map((settled) => settled.data).filter((each) => each !== '-')
  return {
    result: runs.map(({ result, times }) => `${result} x ${times}`).join(', '),
    data: data.join('+') || '-',
    at: Math.max(...all.map(({ at }) => at)),
  }
}
