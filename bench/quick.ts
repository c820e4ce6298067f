/**
 * A first look at the speed: `npm run bench:quick`. All variants interleaved in one process, medians of the rounds, as
 * ratios within the run; written to docs/quick-bench.md.
 */
import { closeSync, openSync, read as readCallback, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { cpus, release, tmpdir } from 'node:os'
import { join } from 'node:path'

import { CANCELLED, eventfd, Ring } from 'uring-safe-cancel'

const ROUNDS = 9
const BLOCK = 4096
const FILE_BYTES = 64 << 20

const path = join(tmpdir(), `uring-bench-${process.pid}`)
writeFileSync(path, Buffer.alloc(FILE_BYTES, 'x'))
const fd = openSync(path, 'r')
const handle = await open(path, 'r')
const event = eventfd()
const ring = new Ring()
const naive = new Ring({ cancel: { reissue: false } })

interface Variant {
  name: string
  operations: number
  run: (lane: number) => Promise<unknown>
}

interface Work {
  title: string
  concurrency: number[]
  variants: (lanes: number) => Variant[]
}

const position = () => Math.floor(Math.random() * (FILE_BYTES / BLOCK)) * BLOCK

function buffers(lanes: number, make: () => Buffer): (lane: number) => Buffer {
  const made = Array.from({ length: lanes }, make)
  return (lane) => made[lane] ?? make()
}

function readByCallback(buffer: Buffer): Promise<unknown> {
  return new Promise((resolve) => readCallback(fd, buffer, 0, BLOCK, position(), resolve))
}

async function readAndCancel(on: Ring): Promise<void> {
  const reading = on.read(event, { length: 8, onCancel: 'resolve' })
  void on.cancel(reading)
  if ((await reading) !== CANCELLED) throw new Error('the eventfd was empty')
}

const works: Work[] = [
  {
    title: 'nop',
    concurrency: [1, 32, 128],
    variants: () => [
      { name: 'a promise that does nothing', operations: 100_000, run: async () => {} },
      { name: 'ring.nop', operations: 100_000, run: () => ring.nop() },
    ],
  },
  {
    title: '4 KiB cached random read',
    concurrency: [1, 32, 512],
    variants: (lanes) => {
      const own = buffers(lanes, () => Buffer.alloc(BLOCK))
      const core = buffers(lanes, () => ring.alloc(BLOCK))
      const few = 20_000
      const many = 60_000
      return [
        { name: 'fs.read', operations: few, run: (lane) => readByCallback(own(lane)) },
        {
          name: 'FileHandle.read',
          operations: few,
          run: (lane) => handle.read(own(lane), 0, BLOCK, position()),
        },
        {
          name: 'ring.read, ring.alloc',
          operations: many,
          run: (lane) => ring.read(fd, core(lane), 0, BLOCK, position()),
        },
        {
          name: "ring.read, caller's buffer",
          operations: many,
          run: (lane) => ring.read(fd, own(lane), 0, BLOCK, position()),
        },
        {
          name: 'ring.read, no buffer',
          operations: many,
          run: () => ring.read(fd, { length: BLOCK, position: position() }),
        },
      ]
    },
  },
  {
    title: 'read and cancel of an empty eventfd',
    concurrency: [1, 32],
    variants: () => [
      { name: 'reissue: false', operations: 30_000, run: () => readAndCancel(naive) },
      { name: 'safe', operations: 30_000, run: () => readAndCancel(ring) },
    ],
  },
]

/** Nanoseconds for each operation. */
async function measure({ operations, run }: Variant, lanes: number): Promise<number> {
  let left = operations
  const begun = performance.now()
  const work = async (lane: number) => {
    while (left > 0) {
      left -= 1
      await run(lane)
    }
  }
  await Promise.all(Array.from({ length: lanes }, (_, lane) => work(lane)))
  return ((performance.now() - begun) * 1e6) / operations
}

function median(numbers: number[]): number {
  const sorted = Float64Array.from(numbers)
  // oxlint-disable-next-line unicorn/no-array-sort -- a typed array of this function's own
  sorted.sort()
  return sorted[sorted.length >> 1] ?? Number.NaN
}

const lines = [
  '# A first look at the speed',
  '',
  `Written by \`npm run bench:quick\` on ${new Date().toISOString().slice(0, 10)}: Node ${process.version}, Linux ${release()}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}.`,
  `Medians of ${ROUNDS} interleaved rounds. The ratio is the median of each round's own ratio to the first line.`,
]
for (const { title, concurrency, variants } of works) {
  for (const lanes of concurrency) {
    const all = variants(lanes)
    const times = all.map((): number[] => [])
    for (let round = -1; round < ROUNDS; round += 1) {
      for (const [index, variant] of all.entries()) {
        const time = await measure(variant, lanes)
        // The first round only warms up.
        if (round >= 0) times[index]?.push(time)
      }
    }
    lines.push(
      '',
      `## ${title}, ${lanes} at a time`,
      '',
      '| | ns an operation | times as fast |',
      '|---|---|---|',
    )
    for (const [index, { name }] of all.entries()) {
      const mine = times[index] ?? []
      const ratio = median(mine.map((time, round) => (times[0]?.[round] ?? Number.NaN) / time))
      lines.push(`| ${name} | ${median(mine).toFixed(0)} | ${ratio.toFixed(2)} |`)
    }
  }
}
const text = `${lines.join('\n')}\n`
writeFileSync(new URL('../docs/quick-bench.md', import.meta.url), text)
process.stdout.write(text)

await Promise.all([ring.destroy(), naive.destroy(), handle.close()])
closeSync(fd)
closeSync(event)
rmSync(path)
