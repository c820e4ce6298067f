/** The examination in plain words. */
import type { Addon } from './addon.js'
import type { Examination } from './examination.js'
import type { Limit } from './host.js'
import type { Trial } from './trial.js'

/** The column in which what is said of a thing begins. */
const INDENT = 16
/** As wide as a terminal is. */
const WIDTH = 100

export function formatExamination(examination: Examination): string {
  const { version, runtime, kernel, addon, lostCancels, faults } = examination
  const { name, version: runtimeVersion, platform, architecture, libc } = runtime
  const lines = [
    `uring-safe-cancel ${version}: ${verdict(examination)}`,
    '',
    line('runtime', `${name} ${runtimeVersion} on ${platform}-${architecture}${libc ? `, ${libc}` : ''}`),
    line('kernel', `${kernel.release}${words(STANDINGS, kernel.standing)}`),
    ...describeAddon(addon).map((text, index) => line(index === 0 ? 'addon' : '', text)),
    ...describePermission(examination),
    ...describeFeatures(examination),
    ...describeLimits(examination),
    ...describeTrial(examination.trial),
    ...(lostCancels ? [line('lost cancels', lostCancels.text)] : []),
    ...faults.flatMap(({ kernels, fault, answer }, index) => [
      line(index === 0 ? 'kernel faults' : '', `${kernels}: ${fault}; ${answer}`),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

function verdict({ ok, addon, refusal }: Examination): string {
  if (ok) return 'io_uring works here'
  if (!addon.loaded) return 'the native addon cannot be loaded here'
  return refusal === undefined ? 'io_uring is here, but the trial of it failed' : 'no io_uring here'
}

/** A label and what is said of it, broken into lines at spaces. */
function line(label: string, text: string): string {
  const rows = ['']
  for (const word of text.split(' ')) {
    const row = rows.at(-1) ?? ''
    if (row === '') rows[rows.length - 1] = word
    else if (INDENT + row.length + 1 + word.length > WIDTH) rows.push(word)
    else rows[rows.length - 1] = `${row} ${word}`
  }
  return rows.map((row, index) => `  ${(index === 0 ? label : '').padEnd(INDENT - 2)}${row}`).join('\n')
}

const STANDINGS = {
  old: ', older than 5.10: not supported',
  tested: ", of a series that the library's tests run on",
  untested: ", of a series that the library's tests have not run on",
} as const

function words<K extends string>(table: Readonly<Record<K, string>>, key: K | undefined): string {
  return key === undefined ? '' : table[key]
}

function describeAddon({
  loaded,
  path,
  origin,
  package: owner,
  reason,
  remedy,
  tried = [],
}: Addon): string[] {
  if (!loaded) return [`${reason}`, `what to do: ${remedy}`, ...tried.map((text) => `tried: ${text}`)]
  if (path === undefined) return ['loaded']
  return [path, ...(origin === undefined ? [] : [`${origin}, of ${owner}`])]
}

function describePermission({ addon, refusal, permissions }: Examination): string[] {
  if (refusal !== undefined) {
    const { reason, by, evidence, remedy } = refusal
    return [
      line('io_uring', `no: ${reason}`),
      line('', `by: ${by} (${evidence})`),
      line('', `what to do: ${remedy}`),
    ]
  }
  const { ioUringDisabled: disabled, seccompFilter } = permissions
  const facts = [
    disabled === undefined ? undefined : `kernel.io_uring_disabled is ${disabled}`,
    seccompFilter === undefined
      ? undefined
      : `${seccompFilter ? 'a' : 'no'} seccomp filter is on this process`,
  ].filter((fact) => fact !== undefined)
  const answer = addon.loaded ? 'yes' : 'unknown, for want of the addon'
  return [line('io_uring', [answer, ...facts].join('; '))]
}

function describeFeatures({ operations, flags, fallbacks = [] }: Examination): string[] {
  if (operations === undefined || flags === undefined) return []
  const missing = Object.entries(operations).flatMap(([name, known]) => (known ? [] : [name]))
  const known = Object.entries(flags).flatMap(([name, is]) => (is ? [name] : []))
  const all = Object.keys(operations).length
  const count =
    missing.length === 0
      ? `all ${all} that the library uses`
      : `${all - missing.length} of ${all}; the kernel does not know, or does not tell of: ${missing.join(', ')}`
  const without = fallbacks.map(({ flag, since, effect }) => `without ${flag} (since ${since}): ${effect}`)
  return [
    line('operations', count),
    line('flags', known.length === 0 ? 'none' : known.join(', ')),
    line('fallbacks', without[0] ?? 'none needed'),
    ...without.slice(1).map((text) => line('', text)),
  ]
}

function describeLimits({ lockedMemory, openFiles }: Examination): string[] {
  const lines: string[] = []
  if (lockedMemory !== undefined) {
    const { soft = 'unlimited', hard = 'unlimited', counts, exempt } = lockedMemory
    const notes = [
      bytes({ soft, hard }),
      counts === false ? 'this kernel does not count rings against it' : '',
      counts === true ? 'this kernel counts rings against it' : '',
      counts === true && exempt === true ? 'this process is above it (CAP_IPC_LOCK)' : '',
    ]
    lines.push(line('memory lock', notes.filter((note) => note !== '').join('; ')))
  }
  if (openFiles !== undefined) lines.push(line('descriptors', `at most ${openFiles.soft}`))
  return lines
}

function kibibytes(amount: number | 'unlimited'): string {
  return amount === 'unlimited' ? amount : `${Math.round(amount / 1024).toLocaleString('en-US')} KiB`
}

function bytes({ soft, hard }: Limit): string {
  return soft === hard
    ? `at most ${kibibytes(soft)}`
    : `at most ${kibibytes(soft)} (can be raised to ${kibibytes(hard)})`
}

function describeTrial(trial: Trial | undefined): string[] {
  if (trial === undefined) return []
  const { ok, problem, inFlight, inFlightWanted, rings, ringsWanted = 0, cancels, cancelMilliseconds } = trial
  const filled =
    inFlight === undefined
      ? []
      : [
          inFlight < inFlightWanted
            ? `a ring holds ${inFlight} operations in flight instead of ${inFlightWanted}, because the limits of memory allow no more: the rest waits`
            : `a ring holds ${inFlight} operations in flight`,
        ]
  const limited =
    rings === undefined
      ? []
      : [
          rings < ringsWanted
            ? `${rings} ring${rings === 1 ? '' : 's'} at once fit${rings === 1 ? 's' : ''} into the limit of locked memory: a thread beyond that gets none`
            : `at least ${rings} rings at once fit into the limit of locked memory`,
        ]
  const cancelled =
    cancels === undefined || cancelMilliseconds === undefined
      ? []
      : [
          `a read ended ${cancelMilliseconds} ms after its cancel${cancels > 1 ? `, which took ${cancels}` : ''}`,
        ]
  const end = ok ? 'bytes went through a pipe' : `FAILED: ${problem}`
  return [...filled, ...limited, ...cancelled, end].map((text, index) =>
    line(index === 0 ? 'trial' : '', text),
  )
}
