/** A runtime that allows no ArrayBuffers on an addon's memory, as Electron does not. */
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import test from 'ava'

import { noExternalMemory, runProgram } from '../fixtures/programs.js'
import { directoryFor } from '../helpers.js'

/** Below and above what is kept until the program has copied it. */
const LENGTHS = [1, 4096, 65_536, 65_537, 300_000]

test('reads give copies, also those without a buffer that waited for room; alloc says why it does not', async (t) => {
  const path = join(directoryFor(t), 'file')
  writeFileSync(path, randomBytes(300_000))
  const program = `
    import assert from 'node:assert/strict'
    import { readFileSync } from 'node:fs'
    import { CANCELLED, Ring, eventfd } from 'uring-safe-cancel'
    const content = readFileSync(${JSON.stringify(path)})
    const ring = new Ring({ entries: 8, completionEntries: 8 })
    assert.throws(() => ring.alloc(8), { code: 'ERR_RING_NO_EXTERNAL_MEMORY' })
    const fd = await ring.open(${JSON.stringify(path)}, 'r')
    const event = eventfd()
    for (const length of ${JSON.stringify(LENGTHS)}) {
      const now = ring.read(fd, { length, position: 0 })
      const own = Buffer.alloc(length)
      await ring.read(fd, own, 0, length, 0)
      assert.deepEqual(own, content.subarray(0, length))
      // The ring is full of these, so that what follows waits, and its memory is made late.
      const hung = Array.from({ length: 8 }, () => ring.read(event, { length: 8, onCancel: 'resolve' }))
      const late = ring.read(fd, { length: length + 10, position: 0 })
      assert.ok(ring.stats().queued > 0)
      await ring.cancelFd(event)
      assert.ok((await Promise.all(hung)).every((result) => result === CANCELLED))
      for (const [wanted, reading] of [[length, now], [length + 10, late]]) {
        const { bytesRead, buffer } = await reading
        assert.equal(bytesRead, Math.min(wanted, content.length))
        assert.equal(buffer.length, wanted)
        assert.deepEqual(buffer.subarray(0, bytesRead), content.subarray(0, bytesRead))
        assert.ok(buffer.subarray(bytesRead).every((byte) => byte === 0))
      }
    }
    await ring.closeFd(fd)
    assert.equal(ring.stats().arenaHeld, 0)
    await ring.close()
  `
  const preloaded = [process.env['LD_PRELOAD'], await noExternalMemory()].filter(Boolean).join(':')
  const { status, errors } = await runProgram(program, { env: { LD_PRELOAD: preloaded } })
  t.is(errors, '')
  t.is(status, 0)
})
