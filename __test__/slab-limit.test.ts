import test from 'ava'

import { SlabLimit } from '../src/native/slab-limit.js'

const SLAB = 256 << 10
const READ = 16 << 10
const MIB = 1 << 20

/** A program that reads, and a runtime that collects whenever `collectAt` bytes of slabs are there. */
class Program {
  held = 0
  slabs = 0
  copies = 0
  readonly #limit = new SlabLimit(SLAB, 512 * MIB)
  #room = 0
  #kept = 0

  /** Reads so many times. `keeps`: something of each slab. */
  read(count: number, keeps: boolean, collectAt = 32 * MIB): void {
    for (let index = 0; index < count; index += 1) {
      if (this.#room >= READ) {
        this.#room -= READ
        continue
      }
      if (this.held >= collectAt) this.held = this.#kept
      const limit = this.#limit.limitFor(READ)
      if (this.held + SLAB <= limit) {
        this.#limit.made(this.held)
        this.held += SLAB
        this.#kept += keeps ? SLAB : 0
        this.slabs += 1
        this.#room = SLAB - READ
      } else {
        if (limit > 0) this.#limit.refused()
        this.copies += 1
        // What is copied is garbage, too, and has it collected some time.
        if (this.copies % 1024 === 0) this.held = this.#kept
      }
    }
  }

  letGo(): void {
    this.#kept = 0
  }
}

test('a program that keeps nothing gets slabs, after a short while', (t) => {
  const program = new Program()
  program.read(100_000, false)
  t.true(program.copies <= 2048, `${program.copies} copies`)
  const { copies } = program
  program.read(100_000, false)
  t.is(program.copies, copies)
})

test('one that keeps something of each gets few', (t) => {
  const program = new Program()
  program.read(100_000, true)
  t.is(program.held, 4 * MIB)
  t.is(program.slabs, 16)
})

test('one that begins to keep loses its slabs, and one that lets go gets them back', (t) => {
  const program = new Program()
  program.read(100_000, false)
  const { slabs } = program
  program.read(100_000, true)
  t.true(program.slabs - slabs <= 513, `${program.slabs - slabs} slabs`)
  program.letGo()
  const { copies } = program
  program.read(100_000, false)
  t.true(program.copies - copies <= 4096, `${program.copies - copies} copies`)
})

test('copies are asked about once for as many as a slab has room for', (t) => {
  const limit = new SlabLimit(SLAB, 512 * MIB)
  limit.refused()
  const asked = Array.from({ length: 34 }, () => {
    const most = limit.limitFor(READ)
    if (most > 0) limit.refused()
    return most > 0
  })
  t.deepEqual(
    asked.flatMap((is, index) => (is ? [index] : [])),
    [16, 33],
  )
})
