/** Processes that end with a thousand operations of all kinds in flight: each end, a hundred times. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import test, { type ExecutionContext } from 'ava'

import { openDescriptors, PATIENCE_MILLISECONDS, ringFor } from '../helpers.js'
import { Ground } from './ground.js'

const TIMES = 100
/** As many at once as a small machine has cores: what counts is their number. */
const AT_ONCE = 2
const PROGRAM = fileURLToPath(new URL('../fixtures/flight.mjs', import.meta.url))

interface Ended {
  status: number | null
  signal: NodeJS.Signals | null
  output: string
  errors: string
}

/** Runs one flight to its end. `signal` is sent when it is in the air. */
async function fly(ground: Ground, end: string, signal?: NodeJS.Signals): Promise<Ended> {
  const { descriptors, numbers } = ground.handDown()
  const child = spawn(process.execPath, ['--expose-gc', PROGRAM, end, JSON.stringify(numbers)], {
    stdio: ['ignore', 'pipe', 'pipe', ...descriptors],
  })
  let isHung = false
  const patience = setTimeout(() => {
    isHung = true
    child.kill('SIGKILL')
  }, PATIENCE_MILLISECONDS)
  let output = ''
  let errors = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    if (output === '' && signal !== undefined) child.kill(signal)
    output += String(chunk)
  })
  child.stderr?.on('data', (chunk: Buffer) => (errors += String(chunk)))
  await once(child, 'close')
  clearTimeout(patience)
  if (isHung) throw new Error(`${end} hangs, after it printed: ${output}${errors}`)
  return { status: child.exitCode, signal: child.signalCode, output, errors }
}

/** A hundred flights with the same end, each of which `check` judges. */
async function flights(
  t: ExecutionContext,
  end: string,
  signal: NodeJS.Signals | undefined,
  check: (ended: Ended) => void,
): Promise<void> {
  t.timeout(600_000, 'a hundred processes')
  const ring = ringFor(t)
  const ground = await Ground.make(t)
  await ground.check(t, ring)
  const before = openDescriptors().length
  let left = TIMES
  const runway = async () => {
    while (left > 0) {
      left -= 1
      check(await fly(ground, end, signal))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, runway))
  await ground.check(t, ring)
  t.is(openDescriptors().length, before)
}

test('process.exit', async (t) => {
  await flights(t, 'exit', undefined, ({ status, signal, output, errors }) => {
    t.deepEqual(
      { status, signal, output, errors },
      { status: 3, signal: null, output: 'in flight\n', errors: '' },
    )
  })
})

test('an uncaught exception', async (t) => {
  await flights(t, 'exception', undefined, ({ status, signal, output, errors }) => {
    t.deepEqual({ status, signal, output }, { status: 1, signal: null, output: 'in flight\n' }, errors)
    t.regex(errors, /Error: uncaught on purpose/)
  })
})

test('SIGTERM, with the default action', async (t) => {
  await flights(t, 'SIGTERM', 'SIGTERM', ({ status, signal, output, errors }) => {
    const expected = { status: null, signal: 'SIGTERM', output: 'in flight\n', errors: '' }
    t.deepEqual({ status, signal: String(signal), output, errors }, expected)
  })
})

test('SIGTERM, handled by destroy: every operation settles exactly once, and the process ends by itself', async (t) => {
  let cancels = 0
  await flights(t, 'SIGTERM, handled', 'SIGTERM', ({ status, signal, output, errors }) => {
    t.deepEqual({ status, signal, errors }, { status: 5, signal: null, errors: '' }, output)
    const [first, stats = ''] = output.split('\n')
    t.is(first, 'in flight')
    const { settled, submitted, completed, inFlight, queued, cancelsRequested } = JSON.parse(stats)
    t.deepEqual(
      { settled, submitted, completed, inFlight, queued },
      { settled: 1000, submitted: 1000, completed: 1000, inFlight: 0, queued: 0 },
    )
    cancels += cancelsRequested
  })
  t.log(`${cancels} operations were cancelled`)
})
