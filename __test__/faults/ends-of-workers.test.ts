/** Workers that are terminated with a thousand operations of all kinds in flight: a hundred in one process. */
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'

import test, { type ExecutionContext } from 'ava'
import { pipe, Ring } from 'uring-safe-cancel'

import { closeAfter, openDescriptors, ringFor, until } from '../helpers.js'
import { Ground } from './ground.js'

const TIMES = 100
/** In this time a flight makes its ring and gets into the air, on a machine with nothing else to do. */
const EARLY_MILLISECONDS = 20
const PROGRAM = new URL('../fixtures/flight.mjs', import.meta.url)

/** Of fifty workers with a core memory of six MiB each. */
const TOLERATED_MIB = 16
/** How often everything that is garbage is collected. */
const COLLECT_EVERY = 100

/** How many mappings of rings this process has. */
function ringMappings(): number {
  return readFileSync('/proc/self/maps', 'utf8').split('[io_uring]').length - 1
}

/** The threads of this process: Node's own by number, and the kernel's workers by the thread they work for. */
function threads(): { own: string[]; workersOf: string[] } {
  const own: string[] = []
  const workersOf: string[] = []
  for (const id of readdirSync('/proc/self/task')) {
    const name = nameOf(id)
    const [, owner] = /^iou-wrk-(\d+)/.exec(name) ?? []
    if (owner !== undefined) workersOf.push(owner)
    else if (name !== '') own.push(id)
  }
  return { own, workersOf }
}

function nameOf(thread: string): string {
  try {
    return readFileSync(`/proc/self/task/${thread}/comm`, 'utf8')
  } catch {
    // It has just ended.
    return ''
  }
}

/** Traffic whose every byte is checked, beside the workers that end. */
class Traffic {
  rounds = 0
  #isOver = false
  readonly #done: Promise<unknown>

  constructor(t: ExecutionContext, ring: Ring, ground: Ground, { readFd, writeFd }: ReturnType<typeof pipe>) {
    const { direct } = ground.numbers
    this.#done = Promise.all([
      this.#repeat(ring, async (round) => {
        const position = (round * 4096) % ground.content.length
        const { bytesRead, buffer } = await ring.read(direct, {
          length: 4096,
          position,
          async: round % 2 === 0,
        })
        if (bytesRead !== 4096 || buffer.compare(ground.content, position, position + 4096) !== 0) {
          t.fail(`the file at ${position}`)
        }
      }),
      this.#repeat(ring, async (round) => {
        const text = `message ${round}`
        const [{ buffer, bytesRead }] = await Promise.all([
          ring.read(readFd, Buffer.alloc(64), { async: round % 2 === 0 }),
          ring.write(writeFd, text),
        ])
        if (buffer.toString('utf8', 0, bytesRead) !== text) t.fail(text)
      }),
    ])
  }

  async #repeat(ring: Ring, step: (round: number) => Promise<void>): Promise<void> {
    for (let round = 0; !this.#isOver && !ring.closed; round += 1) {
      await step(round)
      this.rounds += 1
      await delay(1)
    }
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#done
  }
}

/**
 * Terminates a flight when it is in the air, or some time after it began to make its ring; true if it got into the air.
 * (Before that, Node's own loader may leave a file of a module open.)
 */
async function end(t: ExecutionContext, ground: Ground, milliseconds: number | undefined): Promise<boolean> {
  const worker = new Worker(PROGRAM, { workerData: ground.numbers, execArgv: [] })
  const exit = new Promise<number>((resolve) => worker.once('exit', resolve))
  const messages: unknown[] = []
  worker.on('message', (word) => messages.push(word))
  await until(() => messages.includes(milliseconds === undefined ? 'in flight' : 'begins'))
  if (milliseconds !== undefined) await delay(milliseconds)
  await worker.terminate()
  t.is(await exit, 1)
  return messages.includes('in flight')
}

test('terminated a hundred times: nothing is corrupted, and nothing of them is left', async (t) => {
  t.timeout(600_000, 'a hundred threads')
  const ring = ringFor(t)
  const ground = await Ground.make(t)
  await ground.check(t, ring)
  const ends = pipe()
  closeAfter(t, ends.readFd, ends.writeFd)
  const collecting = setInterval(() => globalThis.gc?.(), COLLECT_EVERY)
  let aloft = 0
  const some = async (count: number) => {
    for (let index = 0; index < count; index += 1) {
      // Every other one at any moment: while it makes its ring, too.
      if (await end(t, ground, index % 2 === 0 ? undefined : Math.random() * EARLY_MILLISECONDS)) aloft += 1
    }
  }
  await some(TIMES / 10)
  aloft = 0
  const before = {
    mappings: ringMappings(),
    descriptors: openDescriptors().length,
    threads: threads().own.length,
  }
  const busy = new Ring()
  const traffic = new Traffic(t, busy, ground, ends)
  const bytes = [process.memoryUsage.rss()]
  for (let half = 0; half < 2; half += 1) {
    await some(TIMES / 2)
    globalThis.gc?.()
    bytes.push(process.memoryUsage.rss())
  }
  clearInterval(collecting)
  await traffic.end()
  await busy.destroy()
  t.is(openDescriptors().length, before.descriptors)
  // Threads that closed what may wait at its close end by themselves when they have nothing more to do.
  await until(() => threads().own.length <= before.threads, 'no thread is left')
  // The kernel's workers end by themselves, a little later than the thread.
  await until(() => {
    const { own, workersOf } = threads()
    return workersOf.every((owner) => own.includes(owner))
  }, 'the workers of the dead are gone')
  t.is(ringMappings(), before.mappings)
  const grown = bytes.slice(1).map((later, index) => (later - (bytes[index] ?? 0)) / 2 ** 20)
  t.log(
    `${aloft} of ${TIMES} were aloft when they were ended, beside ${traffic.rounds} checked rounds of traffic`,
  )
  t.log(`resident memory grew by ${grown.map((mib) => mib.toFixed(1)).join(' and ')} MiB`)
  // A leak grows in both halves; a heap may grow once.
  t.true(Math.min(...grown) < TOLERATED_MIB)
  await ground.check(t, ring)
})
