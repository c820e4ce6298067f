/** Large reads: where they are done, and how their results are copied. */
import { availableParallelism } from 'node:os'
import { setImmediate as turn } from 'node:timers/promises'

import test from 'ava'

import { runProgram } from './fixtures/programs.js'
import { fileFor, ringFor } from './helpers.js'

const KIB = 1024

/** Does `reads` in a process of its own; how many workers the kernel made for it. */
async function workersOf(reads: string): Promise<number> {
  const code = `
    import { closeSync, constants, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
    import { tmpdir } from 'node:os'
    import { Ring } from 'uring-safe-cancel'
    const directory = mkdtempSync(tmpdir() + '/large-')
    const path = directory + '/file'
    writeFileSync(path, Buffer.alloc(1 << 20, 'x'), { flush: true })
    const fd = openSync(path)
    const direct = openSync(path, constants.O_RDONLY | constants.O_DIRECT)
    const ring = new Ring()
    const buffers = Array.from({ length: 8 }, () => ring.alloc(1 << 20))
    const results = await Promise.all(${reads})
    if (results.some(({ bytesRead, buffer }) => bytesRead < 1024 || buffer[bytesRead - 1] !== 120)) throw new Error('wrong')
    const tasks = readdirSync('/proc/self/task').map((task) => {
      try {
        return readFileSync('/proc/self/task/' + task + '/comm', 'utf8')
      } catch {
        return 'gone'
      }
    })
    console.log(tasks.filter((name) => name.startsWith('iou-wrk')).length)
    await ring.destroy()
    rmSync(directory, { recursive: true })`
  const { status, output, errors } = await runProgram(code)
  if (status !== 0) throw new Error(errors)
  return Number(output)
}

/** Without another processor there is nobody to read for this one. */
const isAlone = availableParallelism() === 1

test('large reads beside others are done by workers of the kernel', async (t) => {
  const workers = await workersOf('buffers.map((buffer) => ring.read(fd, buffer, { position: 0 }))')
  if (isAlone) t.is(workers, 0)
  else t.true(workers > 0)
})

test("also if the destination is the caller's, and without one", async (t) => {
  if (isAlone) {
    t.pass()
    return
  }
  t.true((await workersOf('buffers.map(() => ring.read(fd, Buffer.alloc(1 << 20), { position: 0 }))')) > 0)
  t.true((await workersOf('buffers.map(() => ring.read(fd, { length: 1 << 20, position: 0 }))')) > 0)
})

const AT_ONCE: [string, string][] = [
  ['with async: false', 'buffers.map((buffer) => ring.read(fd, buffer, { position: 0, async: false }))'],
  [
    'of less than 256 KiB',
    'buffers.map((buffer) => ring.read(fd, buffer, { position: 0, length: (256 << 10) - 1 }))',
  ],
  ['at the current position', '[ring.read(fd, buffers[0])]'],
  [
    'that are alone',
    '[await ring.read(fd, buffers[0], 0, 1 << 20, 0), await ring.read(fd, buffers[1], 0, 1 << 20, 0)]',
  ],
]

for (const [name, reads] of AT_ONCE) {
  test(`reads ${name} are done where they are submitted`, async (t) => {
    t.is(await workersOf(reads), 0)
  })
}

function direct(options: string): string {
  return `buffers.map((buffer) => ring.read(direct, buffer, { ${options} }))`
}

test('so are reads past the page cache, as far as the file system lets them', async (t) => {
  const needsWorkers = (await workersOf(direct('position: 0, async: false'))) > 0
  t.log(needsWorkers ? 'it does not' : 'it does')
  t.is((await workersOf(direct('position: 0'))) > 0, needsWorkers)
})

test('with async: true they are, also one alone', async (t) => {
  t.true((await workersOf('[ring.read(fd, buffers[0], { position: 0, length: 4096, async: true })]')) > 0)
})

test('results of together more than a megabyte are copied over several turns of the event loop', async (t) => {
  const ring = ringFor(t)
  const size = 256 * KIB
  const fd = fileFor(t, Buffer.alloc(size, 'x'))
  const reads = Array.from({ length: 64 }, () =>
    ring.read(fd, Buffer.alloc(size), { position: 0, async: false }),
  )
  let settled = 0
  for (const read of reads) void read.then(() => (settled += 1))
  let turns = 0
  while (settled < reads.length) {
    // eslint-disable-next-line no-await-in-loop -- it counts the turns
    await turn()
    turns += 1
  }
  for (const { bytesRead, buffer } of await Promise.all(reads)) {
    t.is(bytesRead, size)
    t.is(buffer[size - 1], 120)
  }
  // 16 MiB: at most two or three of them in a turn.
  t.log(`${turns} turns`)
  t.true(turns >= 5)
})
