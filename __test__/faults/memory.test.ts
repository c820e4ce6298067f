/** A control group that is out of memory: bounded work goes on and is right, unbounded work is an end, not a hang. */
import { randomFillSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import test, { type ExecutionContext } from 'ava'

import { runProgram } from '../fixtures/programs.js'
import { directoryFor } from '../helpers.js'
import { memoryGroup } from './memory-cgroup.js'

const MIB = 1 << 20
/** What Node itself takes, and as much again. */
const GROUP_BYTES = 160 * MIB

const FILE_BYTES = 64 * MIB

/** A file of bytes that tell their places apart. */
function largeFile(t: ExecutionContext): string {
  const path = join(directoryFor(t), 'large')
  writeFileSync(path, randomFillSync(Buffer.alloc(FILE_BYTES)))
  return path
}

const HEAD = `
  import { openSync, readSync } from 'node:fs'
  import { eventfd, pipe, Ring } from 'uring-safe-cancel'
  const { readFd, writeFd } = pipe()
  const file = openSync(process.env.LARGE_FILE)
  const fate = (promise) => promise.then(() => 'done', (error) => error.code)
`

test('a bounded arena in a small group: many times its memory is read, and every byte is right', async (t) => {
  const group = memoryGroup(t, GROUP_BYTES)
  const { status, signal, output, errors } = await runProgram(
    `${HEAD}
    const ring = new Ring({ arenaBytes: ${32 * MIB} })
    const hung = Array.from({ length: 1000 }, (_, index) => fate(ring.read(readFd, { length: 8, async: index % 2 === 0 })))
    let bytes = 0
    let refused = 0
    const expected = Buffer.alloc(${2 * MIB})
    for (let round = 0; bytes < ${640 * MIB}; round += 1) {
      const position = (round % ${FILE_BYTES / (2 * MIB)}) * ${2 * MIB}
      readSync(file, expected, 0, expected.length, position)
      const reads = await Promise.allSettled([0, 1, 2, 3].map((index) => {
        const async = index % 2 === 0
        return index < 2 ? ring.read(file, { length: ${2 * MIB}, position, async }) : ring.read(file, Buffer.alloc(${2 * MIB}), { position, async })
      }))
      for (const { value, reason } of reads) {
        if (value === undefined) { refused += 1; if (reason.code !== 'ERR_RING_ARENA_FULL') throw reason; continue }
        if (value.bytesRead !== expected.length || !value.buffer.equals(expected)) throw new Error('wrong bytes at ' + position)
        bytes += value.bytesRead
      }
    }
    await ring.destroy()
    console.log(new Set(await Promise.all(hung)).size, bytes >= ${640 * MIB}, refused)`,
    { launcher: group.launcher, env: { LARGE_FILE: largeFile(t) } },
  )
  t.deepEqual({ status, signal, errors }, { status: 0, signal: null, errors: '' })
  t.regex(output, /^1 true \d+\n$/)
  t.is(group.killed(), 0)
})

test('without a bound: the process gets errors, or the kernel ends it, with a thousand operations in flight', async (t) => {
  const group = memoryGroup(t, GROUP_BYTES)
  const { status, signal, output, errors } = await runProgram(
    `${HEAD}
    const ring = new Ring()
    const event = eventfd()
    for (let index = 0; index < 1000; index += 1) ring.read(index % 2 === 0 ? readFd : event, { length: 8, async: index % 3 === 0 }).catch(() => {})
    await ring.nop()
    console.log('in flight')
    const kept = []
    for (;;) {
      const large = ring.alloc(${4 * MIB})
      kept.push(large)
      await Promise.all([0, 1].map((half) => ring.read(file, large.subarray(half * ${2 * MIB}), { length: ${2 * MIB}, position: 0, async: half === 0 })))
      console.log(kept.length)
    }`,
    { launcher: group.launcher, env: { LARGE_FILE: largeFile(t) } },
  )
  const lines = output.trim().split('\n')
  t.is(lines[0], 'in flight')
  t.log(`it had read ${Number(lines.at(-1) ?? 0) * 4} MiB; then: ${signal ?? status} ${errors.slice(0, 80)}`)
  t.true(lines.length > 2, 'it got somewhere')
  if (signal === null) t.regex(errors, /ENOMEM|ERR_RING_ARENA_FULL|heap out of memory/)
  else t.deepEqual({ signal, killed: group.killed() }, { signal: 'SIGKILL', killed: 1 })
})
