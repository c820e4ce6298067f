/** What a sequence may do next. */
import { closeSync } from 'node:fs'
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises'

import * as fc from 'fast-check'
import { type OperationOptions, PollEvents, type Ring } from 'uring-safe-cancel'

import { spin } from '../helpers.js'
import { BLOCK, BLOCKS } from './blocks.js'
import { destination, type Shape, source } from './buffers.js'
import type { Call, How } from './calls.js'
import { COUNTER_MOST } from './counter.js'
import { decode, encode, WORD } from './queue.js'
import type { Model, World } from './world.js'

type Step = fc.AsyncCommand<Model, World>

/** A command that is applicable where `check` says so. `parameters` is what its failure prints. */
function command(
  name: string,
  parameters: object,
  check: (model: Readonly<Model>) => boolean,
  run: (model: Model, world: World) => unknown,
): Step {
  return {
    check,
    run: async (model, world) => {
      await run(model, world)
      world.checkNow()
    },
    toString: () =>
      `${name}(${JSON.stringify(parameters, (_, value: unknown) => (typeof value === 'bigint' ? String(value) : value))})`,
  }
}

const how: fc.Arbitrary<How> = fc.record({
  async: fc.boolean(),
  onCancel: fc.constantFrom('reject', 'resolve'),
  signal: fc.constantFrom('none', 'none', 'own', 'shared'),
  timeout: fc.constantFrom(undefined, undefined, undefined, 0, 1, 60_000),
})
const shape: fc.Arbitrary<Shape> = fc.constantFrom('own', 'core', 'made', 'vector')
const which: fc.Arbitrary<0 | 1> = fc.constantFrom(0, 1)
/** Numbers in one transfer: few, as many as are written in one piece, more than these, more than a pipe holds. */
const count = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 1, max: 16 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1000, max: 1100 }) },
  { weight: 1, arbitrary: fc.integer({ min: 16_000, max: 17_000 }) },
)

/** Notes the destination of a call, so that it can be taken away. */
function reading(world: World, call: Call, transfer: () => boolean): void {
  world.transfers.set(call, transfer)
}

const readPipe = fc.record({ which, shape, count, how }).map((given) =>
  command(
    'readPipe',
    given,
    (model) => model.pipes[given.which].readerClosed === Infinity,
    (model, world) => {
      const into = destination(world.violations, world.life.ring, given.shape, given.count * WORD)
      const call: Call = world.call({
        name: `readPipe ${given.which}`,
        on: world.pipes[given.which]?.readFd ?? -1,
        how: given.how,
        begin: (ring, options) => into.begin(ring, world.pipes[given.which]?.readFd ?? -1, null, options),
        deliver: (value, rescued) => {
          const bytes = into.bytesOf(value, rescued)
          world.violations.check(bytes.length % WORD === 0, 'a number was torn')
          model.pipes[given.which].found(call, decode(bytes))
        },
      })
      reading(world, call, into.transfer)
      model.calls += 1
    },
  ),
)

const writePipe = fc.record({ which, shape, count, how }).map((given) =>
  command(
    'writePipe',
    given,
    (model) => model.pipes[given.which].writerClosed === Infinity,
    (model, world) => {
      const queue = model.pipes[given.which]
      const { first, began, wrote } = queue.offer(given.count)
      const from = source(world.life.ring, given.shape, encode(first, given.count))
      const call = world.call({
        name: `writePipe ${given.which}`,
        on: world.pipes[given.which]?.writeFd ?? -1,
        how: given.how,
        begin: (ring, options) => from.begin(ring, world.pipes[given.which]?.writeFd ?? -1, null, options),
        deliver: (value) => wrote((value as { bytesWritten: number }).bytesWritten),
        mayFail: (code) =>
          (code === 'EPIPE' && given.which === 1 && queue.readerClosed < Infinity) ||
          (code === 'EAGAIN' && world.isNonblocking),
      })
      began(call)
      model.calls += 1
    },
  ),
)

const readCounter = fc.record({ which, shape, how }).map((given) =>
  command(
    'readCounter',
    given,
    (model) => !model.isCounterClosed[given.which],
    (model, world) => {
      const into = destination(world.violations, world.life.ring, given.shape, 8)
      const call = world.call({
        name: `readCounter ${given.which}`,
        on: world.counters[given.which] ?? -1,
        how: given.how,
        begin: (ring, options) => into.begin(ring, world.counters[given.which] ?? -1, null, options),
        deliver: (value, rescued) => {
          const bytes = into.bytesOf(value, rescued)
          world.violations.check(bytes.length === 8, `an eventfd gave ${bytes.length} bytes`)
          if (bytes.length === 8) model.counters[given.which].took(world.violations, bytes.readBigUInt64LE())
        },
      })
      reading(world, call, into.transfer)
      model.calls += 1
    },
  ),
)

const amount = fc.oneof(
  { weight: 6, arbitrary: fc.bigInt({ min: 1n, max: 4n }) },
  { weight: 1, arbitrary: fc.constantFrom(COUNTER_MOST, COUNTER_MOST - 1n, COUNTER_MOST >> 1n) },
)

const writeCounter = fc.record({ which, shape, amount, how }).map((given) =>
  command(
    'writeCounter',
    given,
    (model) => !model.isCounterClosed[given.which],
    (model, world) => {
      const counter = model.counters[given.which]
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64LE(given.amount)
      // An eventfd takes its number from the first eight bytes, of one part.
      const from = source(world.life.ring, given.shape === 'vector' ? 'own' : given.shape, bytes)
      counter.offer(given.amount)
      world.call({
        name: `writeCounter ${given.which}`,
        on: world.counters[given.which] ?? -1,
        how: given.how,
        begin: (ring, options) => from.begin(ring, world.counters[given.which] ?? -1, null, options),
        deliver: () => counter.added(given.amount),
        mayFail: (code) => code === 'EAGAIN' && world.isNonblocking,
      })
      model.calls += 1
    },
  ),
)

const extent = fc
  .record({ block: fc.nat({ max: BLOCKS - 1 }), length: fc.integer({ min: 1, max: 3 }) })
  .map(({ block, length }) => ({
    start: block * BLOCK,
    length: Math.min(length, BLOCKS - block) * BLOCK,
  }))

const readBlocks = fc.record({ extent, shape, how }).map((given) =>
  command(
    'readBlocks',
    given,
    () => true,
    (model, world) => {
      const { start, length } = given.extent
      const into = destination(world.violations, world.life.ring, given.shape, length)
      const call: Call = world.call({
        name: 'readBlocks',
        how: given.how,
        begin: (ring, options) => into.begin(ring, world.blocksFd, start, options),
        deliver: (value, rescued) => model.blocks.found(call, start, into.bytesOf(value, rescued)),
      })
      reading(world, call, into.transfer)
      model.calls += 1
    },
  ),
)

const writeBlocks = fc.record({ extent, shape, how }).map((given) =>
  command(
    'writeBlocks',
    given,
    (model) => model.blocks.hasTags,
    (model, world) => {
      const { start, length } = given.extent
      const tag = model.blocks.tag()
      const from = source(world.life.ring, given.shape, Buffer.alloc(length, tag))
      const call: Call = world.call({
        name: 'writeBlocks',
        how: given.how,
        begin: (ring, options) => from.begin(ring, world.blocksFd, start, options),
        deliver: (value) =>
          model.blocks.wrote(call, start, (value as { bytesWritten: number }).bytesWritten, tag),
      })
      model.calls += 1
    },
  ),
)

/** At the file's own position, on the first ring only: two rings share the position, but not the line. */
const readOn = fc.record({ shape, count: fc.integer({ min: 1, max: 100 }), how }).map((given) =>
  command(
    'readOn',
    given,
    (model) => model.replaced === 0,
    (model, world) => {
      const done = model.reader.step()
      const into = destination(world.violations, world.life.ring, given.shape, given.count * WORD)
      const call = world.call({
        name: 'readOn',
        how: given.how,
        begin: (ring, options) => into.begin(ring, world.readerFd, null, options),
        deliver: (value, rescued) => done(decode(into.bytesOf(value, rescued))),
      })
      reading(world, call, into.transfer)
      model.calls += 1
    },
  ),
)

const writeOn = fc.record({ shape, count: fc.integer({ min: 1, max: 100 }), how }).map((given) =>
  command(
    'writeOn',
    given,
    (model) => model.replaced === 0,
    (model, world) => {
      const done = model.writer.step()
      const numbers = Array.from({ length: given.count }, (_, index) => model.calls * 1000 + index)
      const bytes = Buffer.concat(numbers.map((number) => encode(number, 1)))
      const from = source(world.life.ring, given.shape, bytes)
      world.call({
        name: 'writeOn',
        how: given.how,
        begin: (ring, options) => from.begin(ring, world.writerFd, null, options),
        deliver: (value) => done(numbers.slice(0, (value as { bytesWritten: number }).bytesWritten / WORD)),
      })
      model.calls += 1
    },
  ),
)

const EVENTS = PollEvents.POLLIN | PollEvents.POLLOUT
const UNASKED = PollEvents.POLLERR | PollEvents.POLLHUP

type Other = 'nop' | 'sleep' | 'hang' | 'poll' | 'open' | 'fsync'

const others: Record<Other, (ring: Ring, options: OperationOptions, world: World) => Promise<unknown>> = {
  nop: (ring, options) => ring.nop(options),
  sleep: (ring, options) => ring.sleep(0.5, options),
  hang: (ring, options) => ring.sleep(3_600_000, options),
  poll: (ring, options, world) => ring.poll(world.counters[0] ?? -1, EVENTS, options),
  open: (ring, options) => ring.open('/dev/null', 'r', 0, options),
  fsync: (ring, options, world) => ring.fsync(world.blocksFd, options),
}

const other = fc
  .record({ kind: fc.constantFrom<Other[]>('nop', 'sleep', 'hang', 'poll', 'open', 'fsync'), how })
  .map((given) =>
    command(
      given.kind,
      given,
      (model) => !model.isCounterClosed[0],
      (model, world) => {
        const { kind } = given
        world.call({
          name: kind,
          on: kind === 'poll' ? (world.counters[0] ?? -1) : -1,
          how: given.how,
          begin: (ring, options) => others[kind](ring, options, world),
          deliver: (value) => {
            if (kind === 'open') closeSync(value as number)
            if (kind !== 'poll') return
            const isSane = value !== 0 && ((value as number) & ~(EVENTS | UNASKED)) === 0
            world.violations.check(isSane, `poll gave ${String(value)}`)
          },
        })
        model.calls += 1
      },
    ),
  )

const anyCall = fc.nat({ max: 1000 })

/** The call that a number means: of the last ones rather than of the first. */
function pick(world: World, number: number): Call | undefined {
  // A close cannot be cancelled.
  const calls = world.calls.filter(({ name }) => !name.startsWith('close'))
  return calls.at(-1 - (number % Math.min(calls.length, 12)))
}

const cancel = fc.record({ call: anyCall, isAwaited: fc.boolean() }).map((given) =>
  command(
    'cancel',
    given,
    (model) => model.calls > 0,
    async (_, world) => {
      const call = pick(world, given.call)
      const cancelling = call?.cancel()
      if (cancelling !== undefined) world.cancels.push(cancelling)
      if (given.isAwaited) await cancelling
    },
  ),
)

const abort = fc.record({ call: anyCall }).map((given) =>
  command(
    'abort',
    given,
    (model) => model.calls > 0,
    (_, world) => {
      const call = pick(world, given.call)
      if (call === undefined) return
      if (call.fate === 'pending' && call.how.signal === 'own') call.ask(call)
      call.controller.abort(call)
    },
  ),
)

const abortShared = fc.constant(
  command(
    'abortShared',
    {},
    () => true,
    (_, world) => {
      const cause = { shared: world.clock.tick() }
      for (const call of world.calls) {
        // Those on the signals before it have been told.
        if (call.fate === 'pending' && call.how.signal === 'shared') call.ask(cause)
      }
      world.shared.abort(cause)
      world.shared = new AbortController()
    },
  ),
)

const transfer = fc.record({ call: anyCall }).map((given) =>
  command(
    'transfer',
    given,
    (model) => model.calls > 0,
    (_, world) => {
      const call = pick(world, given.call)
      if (call === undefined || call.fate !== 'pending' || call.isTransferred) return
      call.isTransferred = world.transfers.get(call)?.() ?? false
    },
  ),
)

const cancelFd = fc.record({ target: fc.nat({ max: 6 }), isAwaited: fc.boolean() }).map((given) =>
  command(
    'cancelFd',
    given,
    (model) =>
      model.pipes.every(
        ({ readerClosed, writerClosed }) => Math.min(readerClosed, writerClosed) === Infinity,
      ),
    async (_, world) => {
      const fds = [...world.pipes.flatMap(({ readFd, writeFd }) => [readFd, writeFd]), ...world.counters]
      const { ring } = world.life
      const fd = fds[given.target]
      world.ask(fd)
      const cancelling = fd === undefined ? ring.cancelAll() : ring.cancelFd(fd)
      world.cancels.push(cancelling)
      if (given.isAwaited) await cancelling
    },
  ),
)

/** Closes an end of a pipe, or an eventfd, with whatever is in flight on it. */
const close = fc.record({ target: fc.nat({ max: 5 }) }).map((given) =>
  command(
    'close',
    given,
    ({ pipes, isCounterClosed }) => {
      if (given.target >= 4) return !isCounterClosed[given.target === 4 ? 0 : 1]
      const queue = pipes[given.target < 2 ? 0 : 1]
      return (given.target % 2 === 0 ? queue.readerClosed : queue.writerClosed) === Infinity
    },
    (model, world) => {
      const { target } = given
      const queue = model.pipes[target < 2 ? 0 : 1]
      const ends = world.pipes[target < 2 ? 0 : 1]
      const fd =
        (target >= 4 ? world.counters[target - 4] : target % 2 === 0 ? ends?.readFd : ends?.writeFd) ?? -1
      world.ask(fd)
      const call = world.call({
        name: 'close',
        how: { async: false, onCancel: 'reject', signal: 'none', timeout: undefined },
        begin: (ring) => ring.closeFd(fd),
      })
      if (target >= 4) model.isCounterClosed[target === 4 ? 0 : 1] = true
      else if (target % 2 === 0) queue.readerClosed = call.begun
      else queue.writerClosed = call.begun
      model.calls += 1
    },
  ),
)

const replace = fc.record({ how: fc.constantFrom('close', 'destroy') }).map((given) =>
  command(
    'replace',
    given,
    () => true,
    (model, world) => {
      world.replace(given.how)
      model.replaced += 1
    },
  ),
)

const pause = fc
  .record({ how: fc.constantFrom('microtask', 'turn', 'turns', 'millisecond', 'spin', 'collect') })
  .map((given) =>
    command(
      'pause',
      given,
      () => true,
      async () => {
        switch (given.how) {
          case 'microtask':
            await Promise.resolve()
            break
          case 'turn':
            await turn()
            break
          case 'turns':
            for (let round = 0; round < 4; round += 1) await turn()
            break
          case 'millisecond':
            await delay(1)
            break
          case 'spin':
            spin(20)
            break
          case 'collect':
            globalThis.gc?.()
        }
      },
    ),
  )

/** Sequences of up to so many commands. fast-check takes each of these as often as any other. */
export function sequences(maxCommands: number): fc.Arbitrary<Iterable<Step>> {
  const transfers = [readPipe, readPipe, writePipe, writePipe, readCounter, writeCounter]
  const files = [readBlocks, writeBlocks, readOn, writeOn]
  const single = [...files, other, cancel, cancel, abort, transfer, pause, pause]
  const rare = [abortShared, cancelFd, close, replace]
  const often = [transfers, transfers, transfers, single, single].flat()
  return fc.commands([...often, ...rare], { maxCommands, size: 'max' })
}
