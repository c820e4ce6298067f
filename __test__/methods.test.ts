/** The methods of a ring come from src/operations/: the table that has their code, and the interface that has their types. */
import test from 'ava'
import { Ring } from 'uring-safe-cancel'

import { OPERATIONS, type Operations } from '../dist/src/operations/methods.js'
import { ringFor } from './helpers.js'

/** One that the interface has, and this does not, does not compile, nor does one that the interface has not. */
const METHODS: Record<keyof Operations, true> = {
  read: true,
  write: true,
  readv: true,
  writev: true,
  nop: true,
  poll: true,
  sleep: true,
  open: true,
  closeFd: true,
  fsync: true,
  fdatasync: true,
}

test('the table has the methods that the interface promises, and a ring has those of the table', (t) => {
  const ofTable = OPERATIONS.flatMap(({ prototype }) => Object.getOwnPropertyNames(prototype))
  const names = ofTable.filter((name) => name !== 'constructor')
  t.deepEqual(
    names.filter((name) => !(name in METHODS)),
    [],
    'in the table alone',
  )
  t.is(new Set(names).size, names.length, 'no two have the same')
  t.is(names.length, Object.keys(METHODS).length, 'none in the interface alone')
  for (const name of names) {
    const property = Object.getOwnPropertyDescriptor(Ring.prototype, name)
    t.is(typeof property?.value, 'function', name)
    t.like(property, { enumerable: false, writable: true, configurable: true }, name)
  }
  t.is(Ring.prototype.constructor, Ring)
})

test('a subclass overrides a method, and calls that of the ring', async (t) => {
  class Doubling extends Ring {
    override async sleep(milliseconds: number): Promise<void> {
      await super.sleep(milliseconds / 2)
    }
  }
  const ring = new Doubling()
  t.teardown(() => ring.destroy())
  t.is(await ring.sleep(0.5), undefined)
  t.is(ring.stats().submitted, 1)
})

test('a method says so if it is called on something that is no ring; copies of a ring have no engine', (t) => {
  const stranger: Ring = Object.create(Ring.prototype)
  t.throws(() => stranger.nop(), { instanceOf: TypeError, message: /no Ring/ })
  Object.assign(stranger, ringFor(t))
  t.throws(() => stranger.nop(), { instanceOf: TypeError, message: /no Ring/ })
})
