/** The targets: ratios within one run, and one time. What a figure is of is said by ids of works and variants. */

/** Where a figure is to be found. */
export interface Place {
  work: string
  concurrency: number
  variant: string
}

/** How a target's figure is made. */
export type Measured =
  /** Operations a second against another variant's, at the same place. */
  | { kind: 'speed'; base: string }
  /** The same, but how often the variant is slower than the base. */
  | { kind: 'slowness'; base: string }
  /** Processor time an operation against another variant's. */
  | { kind: 'cpu'; base: string }
  /** Microseconds that the longest batch blocked the event loop. */
  | { kind: 'batch' }
  /** How the variant's speed grows from one to two workers, against how the base's does. */
  | { kind: 'scaling'; base: string }

export interface Target {
  /** Its row in the table. */
  title: string
  place: Place
  measured: Measured
  bound: 'at least' | 'at most'
  value: number
}

type Shared = Pick<Target, 'measured' | 'bound' | 'value'>

const atLeast = (value: number, base: string): Shared => ({
  measured: { kind: 'speed', base },
  bound: 'at least',
  value,
})

function targets(
  title: string,
  work: string,
  variants: readonly string[],
  concurrency: readonly number[],
  shared: Shared,
): Target[] {
  return variants.flatMap((variant) =>
    concurrency.map((at) => ({ title, place: { work, concurrency: at, variant }, ...shared })),
  )
}

const ALL = [1, 8, 32, 128, 512]
const READ = '4 KiB cached read'
/** The longest a batch may block the event loop, in microseconds. */
const LONGEST_BATCH = 200

/** Sizes of the large reads in KiB, and what they must reach against fs.read into the caller's Buffer. */
const LARGE = [
  { kib: 64, own: 0.7 },
  { kib: 256, own: 0.45 },
  { kib: 1024, own: 0.4 },
]

const atMost = (value: number, measured: Measured): Shared => ({ measured, bound: 'at most', value })

const BOUNCE = 'ping-pong, times net.Socket'

function pingPong(work: string): Target[] {
  return [
    ...targets(BOUNCE, work, ['core', 'own'], [1], atLeast(1.7, 'socket')),
    ...targets(BOUNCE, work, ['core', 'own'], [32], atLeast(2.2, 'socket')),
  ]
}

export const TARGETS: readonly Target[] = [
  ...targets('nop, of the floor', 'nop', ['ring'], [1], atLeast(0.4, 'floor')),
  ...targets('nop, of the floor', 'nop', ['ring'], [128], atLeast(0.32, 'floor')),
  ...targets(
    'nop, times as long as a promise that a batch settles',
    'nop',
    ['ring'],
    [128],
    atMost(2, { kind: 'slowness', base: 'pending' }),
  ),
  ...targets(
    'nop, times as long as a promise that is settled from the start',
    'nop',
    ['ring'],
    [128],
    atMost(2, { kind: 'slowness', base: 'settled' }),
  ),
  ...targets(`${READ} on core memory, of the floor`, 'read', ['core', 'none'], [1], atLeast(0.8, 'floor')),
  ...targets(
    `${READ} on core memory, of the floor`,
    'read',
    ['core', 'none'],
    [32, 128, 512],
    atLeast(0.85, 'floor'),
  ),
  ...targets(`${READ} on core memory, of fs.readSync`, 'read', ['core', 'none'], [1], atLeast(0.85, 'sync')),
  ...targets(
    `${READ} into the caller's Buffer, of the floor`,
    'read',
    ['own'],
    [1, 32],
    atLeast(0.7, 'floor'),
  ),
  ...targets(`${READ} into the caller's Buffer, of the floor`, 'read', ['own'], [512], atLeast(0.6, 'floor')),
  ...targets(`${READ}: what the copy leaves`, 'read', ['own'], [1], atLeast(0.95, 'core')),
  ...targets(`${READ}: what the copy leaves`, 'read', ['own'], [32], atLeast(0.9, 'core')),
  ...targets(`${READ}: what the copy leaves`, 'read', ['own'], [512], atLeast(0.75, 'core')),
  ...targets(`${READ}, times fs.read`, 'read', ['core', 'own'], ALL, atLeast(1.3, 'callback')),
  ...targets(
    `${READ}, times FileHandle.read`,
    'read',
    ['core', 'own'],
    ALL.filter((one) => one >= 8),
    atLeast(5, 'handle'),
  ),
  ...targets(
    `${READ}, processor time, of fs.read's`,
    'read',
    ['core', 'own'],
    [32],
    atMost(0.4, { kind: 'cpu', base: 'callback' }),
  ),
  ...targets(
    `${READ}, processor time, of FileHandle.read's`,
    'read',
    ['core', 'own'],
    [32],
    atMost(0.2, { kind: 'cpu', base: 'handle' }),
  ),
  ...LARGE.flatMap(({ kib, own }) => [
    ...targets(
      `${kib} KiB on core memory, of fs.read`,
      `read-${kib}k`,
      ['core'],
      [16],
      atLeast(1, 'callback'),
    ),
    ...targets(
      `${kib} KiB into the caller's Buffer, of fs.read`,
      `read-${kib}k`,
      ['own'],
      [16],
      atLeast(own, 'callback'),
    ),
  ]),
  ...targets('longest batch, µs', 'nop', ['ring'], [512], atMost(LONGEST_BATCH, { kind: 'batch' })),
  ...targets('longest batch, µs', 'read', ['core', 'own'], [512], atMost(LONGEST_BATCH, { kind: 'batch' })),
  ...LARGE.flatMap(({ kib }) =>
    targets(
      'longest batch, µs',
      `read-${kib}k`,
      ['core', 'own'],
      [16],
      atMost(LONGEST_BATCH, { kind: 'batch' }),
    ),
  ),
  ...pingPong('ping-pong-pipe'),
  ...pingPong('ping-pong-socketpair'),
  ...targets('read and cancel, of the floor', 'cancel', ['handle'], [1, 32], atLeast(0.55, 'floor')),
  ...targets(
    'a shared AbortSignal, times one AbortController each',
    'cancel',
    ['shared-resolve', 'shared-reject'],
    [32, 128],
    atLeast(3, 'own-reject'),
  ),
  ...targets('two workers: growth, of that of the floor', 'workers', ['core'], [2], {
    measured: { kind: 'scaling', base: 'floor' },
    bound: 'at least',
    value: 0.95,
  }),
  ...targets(
    "safety's price: safe, of reissue: false",
    'nop',
    ['ring'],
    [1, 32, 128],
    atLeast(0.97, 'naive'),
  ),
  ...targets(
    "safety's price: safe, of reissue: false",
    'read',
    ['core'],
    [1, 32, 512],
    atLeast(0.97, 'naive'),
  ),
  ...targets(
    "safety's price: safe, of reissue: false",
    'cancel',
    ['handle'],
    [1, 32, 128],
    atLeast(0.97, 'naive'),
  ),
]
