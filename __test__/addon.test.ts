/** The addon by itself, called as no part of the library calls it: errors, never undefined behaviour (SECURITY.md). */
import test from 'ava'

import { noExternalMemory, runProgram } from './fixtures/programs.js'

/** A raw ring, and the numbers that its calls read. */
const RING = `
  import assert from 'node:assert/strict'
  import { createRequire } from 'node:module'
  const binding = createRequire(process.cwd() + '/')('./binding.cjs')
  const options = {
    entries: 64, completionEntries: 128, queueLimit: 1000, arenaBytes: 1 << 24, drainTimeout: 1000, reissue: true,
    firstDelay: 1, maxDelay: 100, stuckAfter: 5000, useUv: true, isNode: true, isWorker: false,
  }
  const protocol = await import(process.cwd() + '/dist/src/native/protocol.js')
  const { COMPLETION_WORDS, COMPLETIONS, FIRST_COMPLETION, Given, GIVEN_NUMBERS, HEADER_WORDS } = protocol
  const words = FIRST_COMPLETION + COMPLETIONS * COMPLETION_WORDS
  const ring = binding.createRing(options, words, () => {})
  assert.equal(ring.words.length, words)
  const given = new Float64Array(ring.words.buffer, 4 * HEADER_WORDS, GIVEN_NUMBERS)
  const end = () => {
    ring.destroy()
    for (let count = 0; count < 1000; count += 1) ring.flush()
    ring.finish()
  }
`

/** Takes the words away, and looks whether anything is written to where they lay. */
const TRANSFERRED = `
  ${RING}
  // Node 20 copies what an addon has made known; later ones throw, and have another way.
  const takeAway = () => {
    const { buffer } = ring.words
    if (buffer.transfer === undefined) structuredClone(buffer, { transfer: [buffer] })
    else buffer.transfer()
    console.log(ring.words.length === 0 ? 'gone' : 'copied')
  }
  for (const round of [1, 2]) {
    for (let id = 0; id < 32; id += 1) {
      given[Given.ID] = id
      ring.nop()
    }
    if (round === 1) takeAway()
    // Finalisers run in a turn of their own.
    for (let count = 0; count < 3; count += 1) {
      gc()
      await new Promise(setImmediate)
    }
    // What has the size of the words gets their place, if anything does.
    const others = Array.from({ length: 2000 }, () => new Int32Array(words).fill(0x5a5a5a5a))
    for (let count = 0; count < 100; count += 1) {
      ring.nop()
      ring.flush()
    }
    assert.ok(others.every((other) => other.every((word) => word === 0x5a5a5a5a)))
  }
  end()
`

for (const [name, environment] of [
  ['core memory', async () => ({})],
  [
    "the runtime's",
    async () => ({
      LD_PRELOAD: [process.env['LD_PRELOAD'], await noExternalMemory()].filter(Boolean).join(':'),
    }),
  ],
] as const) {
  test(`the shared array is transferred away, ${name}: nothing is written to where it lay`, async (t) => {
    const { status, signal, errors, output } = await runProgram(TRANSFERRED, { env: await environment() })
    t.deepEqual({ status, signal, errors }, { status: 0, signal: null, errors: '' })
    const isKept = name === 'core memory' && !('transfer' in ArrayBuffer.prototype)
    t.is(output, isKept ? 'copied\n' : 'gone\n')
  })
}

test('an array whose getters run JavaScript within writev: the ring is whole, and so is what it answers', async (t) => {
  const program = `
    ${RING}
    given[Given.FD] = 1
    given[Given.POSITION] = -1
    const writev = (id, parts, buffers) => {
      given[Given.ID] = id
      return ring.writev(parts, buffers)
    }
    const parts = Float64Array.of(-1, 0, 8, -1, 0, 8)
    const late = []
    Object.defineProperty(late, 0, {
      get() {
        structuredClone(parts.buffer, { transfer: [parts.buffer] })
        return Buffer.alloc(8)
      },
    })
    late[1] = Buffer.alloc(8)
    // The parts are gone: a write of nothing, or none at all.
    const answer = writev(1, parts, late)
    assert.equal(typeof answer, 'number')
    const full = Float64Array.of(-1, 0, 8)
    const throwing = []
    Object.defineProperty(throwing, 0, { get() { throw new RangeError('enough') } })
    assert.throws(() => writev(2, full, throwing), { message: 'enough' })
    assert.equal(ring.has(2), 0)
    const closing = []
    Object.defineProperty(closing, 0, {
      get() {
        end()
        return Buffer.alloc(8)
      },
    })
    assert.equal(writev(3, full, closing), -10_001)
  `
  const { status, signal, errors } = await runProgram(program)
  t.deepEqual({ status, signal, errors }, { status: 0, signal: null, errors: '' })
})
