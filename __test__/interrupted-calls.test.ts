/** An exception anywhere inside a call (no stack left, a time limit, a hook that throws) leaves no operation, or a whole one. */
import test from 'ava'
import { pipe } from 'uring-safe-cancel'

import { runProgram } from './fixtures/programs.js'
import { closeAfter, fate, ringFor } from './helpers.js'

const PRELUDE = `
import { readSync, writeSync, openSync } from 'node:fs'
import { Ring, pipe } from 'uring-safe-cancel'
const ring = new Ring()
const { readFd, writeFd } = pipe({ nonblocking: true }), sink = pipe()
let unhandled = 0
process.on('unhandledRejection', (reason) => { unhandled += 1; console.error(reason) })
process.on('uncaughtException', (error) => { unhandled += 1; console.error(error) })
const buffer = Buffer.alloc(8), own = ring.alloc(8), { signal } = new AbortController()
const CALLS = [
  () => ring.read(readFd, buffer), () => ring.read(readFd, own), () => ring.read(readFd, { length: 8 }),
  () => ring.read(readFd, buffer, { signal, timeout: 1e6 }), () => ring.readv(readFd, [buffer]),
  () => ring.nop(), () => ring.poll(readFd, 4), () => ring.sleep(1e6), () => ring.open('/dev/null'),
  () => ring.write(sink.writeFd, 'no'), () => ring.closeFd(1e9), () => ring.cancelFd(readFd + 1000), () => ring.fsync(readFd),
]
/** Promises that the program got, and what became of them. */
const promises = []
/** Settles what there is; then nothing may be left, and no byte may be lost. */
async function reckon(interrupted) {
  const innocents = await Promise.all(Array.from({ length: 64 }, () => ring.nop().then(() => 1)))
  let bytes = 0
  for (let left; ;) try { bytes += readSync(readFd, Buffer.alloc(4096)) } catch { break }
  const written = 8 * 64
  for (let count = 0; count < 64; count += 1) writeSync(writeFd, Buffer.alloc(8))
  await new Promise((resolve) => setTimeout(resolve, 50))
  let got = 0, settled = 0
  for (const promise of promises) promise.then((result) => { settled += 1; if (result?.bytesRead > 0) got += result.bytesRead }, () => { settled += 1 })
  await ring.cancelAll()
  await ring.nop()
  for (; ;) try { got += readSync(readFd, Buffer.alloc(4096)) } catch { break }
  const { inFlight, queued } = ring.stats()
  await new Promise((resolve) => setImmediate(resolve))
  const again = await ring.nop().then(() => 'usable')
  await ring.destroy()
  console.log(JSON.stringify({ innocents: innocents.length, lost: written - got, unsettled: promises.length - settled, inFlight, queued, unhandled, again, met: interrupted > 0 }))
  if (interrupted === 0) console.error('nothing was interrupted')
}`

const WHOLE = {
  innocents: 64,
  lost: 0,
  unsettled: 0,
  inFlight: 0,
  queued: 0,
  unhandled: 0,
  again: 'usable',
  met: true,
}

test('a stack that overflows at any depth inside a call leaves no operation or a whole one', async (t) => {
  const { output, errors } = await runProgram(`${PRELUDE}
let call, went = 0, overflows = 0, handled = 0
function dive(padding) {
  try { dive(padding, 1, 2) } catch {}
  if (went >= 20) return
  try {
    const promise = call()
    went += 1
    promises[promises.length] = promise
  } catch { overflows += 1 }
}
for (let round = 0; round < 10; round += 1) {
  for (const next of CALLS) {
    call = next
    went = 0
    // Frames of another size come to other depths inside the call.
    let into = () => dive(round)
    for (let depth = 0; depth < round; depth += 1) { const outer = into; into = () => outer() }
    try { into() } catch {}
    const innocent = ring.nop()
    promises.push(innocent)
    for (; handled < promises.length; handled += 1) promises[handled].catch((error) => { if (error instanceof RangeError) overflows += 1 })
    await innocent
  }
}
await new Promise((resolve) => setImmediate(resolve))
await reckon(overflows)`)
  t.deepEqual(JSON.parse(output), WHOLE, errors.slice(-2000))
})

test('a time limit of node:vm that ends inside a call leaves no operation or a whole one', async (t) => {
  const { output, errors } = await runProgram(`${PRELUDE}
import vm from 'node:vm'
let isInside = false, met = 0
for (let round = 0; round < 150; round += 1) {
  let count = 0
  const run = () => {
    isInside = true
    const promise = CALLS[count++ % CALLS.length]()
    promises[promises.length] = promise
    isInside = false
  }
  isInside = false
  try { vm.runInNewContext('for (;;) run()', { run }, { timeout: 1 + (round % 3) }) } catch {}
  if (isInside) met += 1
  for (const promise of promises) promise.catch(() => {})
  await ring.cancelAll()
}
console.error(met + ' of 150 ended inside a call')
await reckon(met)`)
  t.log(errors.trim().split('\n').at(-1))
  t.deepEqual(JSON.parse(output), WHOLE, errors.slice(-2000))
})

test('a signal that throws as it is listened to, or calls the ring back, leaves no operation or a whole one', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const throwing = new AbortController().signal
  throwing.addEventListener = () => {
    throw new Error('deaf')
  }
  const asides: Promise<unknown>[] = []
  const calling = new AbortController().signal
  calling.addEventListener = () => void asides.push(ring.cancelAll(), ring.nop())
  for (let count = 0; count < 100; count += 1) {
    await t.throwsAsync(ring.read(readFd, { signal: throwing }), { message: 'deaf' })
    t.is(
      await fate(ring.read(readFd, { signal: calling })),
      'ABORT_ERR',
      'cancelled before the kernel had it',
    )
    t.is(await fate(ring.poll(readFd, 1, { signal: calling })), 'ABORT_ERR')
  }
  await Promise.all(asides)
  t.is(await ring.cancelAll(), 0)
  t.like(ring.stats(), { inFlight: 0, queued: 0 })
})
