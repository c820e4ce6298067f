/** Direct I/O at the current position: the kernel does not move it, so the ring does. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import test, { type ExecutionContext } from 'ava'
import { CANCELLED, Ring } from 'uring-safe-cancel'

import { closeAfter, ringFor } from '../helpers.js'
import { blockDeviceFor, ext4For, positionOf } from './mounts.js'

const { O_DIRECT, O_RDWR, O_CREAT } = constants

/** What direct I/O comes in. */
const BLOCK = 4096
const MANY = 64
const LETTERS = Array.from({ length: MANY }, (_, index) => String.fromCharCode(48 + index))

/** Each block is of one letter. */
const CONTENT = Buffer.concat(LETTERS.map((letter) => Buffer.alloc(BLOCK, letter)))

interface Case {
  fd: number
  path: string
}

const KINDS: Record<string, (t: ExecutionContext) => Case> = {
  'a file of ext4': (t) => {
    const path = join(ext4For(t, 16 << 20), 'file')
    return opened(t, path, O_DIRECT)
  },
  'a block device': (t) => opened(t, blockDeviceFor(t, MANY * BLOCK), O_DIRECT),
  'a block device without O_DIRECT': (t) => opened(t, blockDeviceFor(t, MANY * BLOCK), 0),
}

function opened(t: ExecutionContext, path: string, flags: number): Case {
  writeFileSync(path, CONTENT, { flag: path.startsWith('/dev/') ? 'r+' : 'w', flush: true })
  const fd = openSync(path, O_RDWR | O_CREAT | flags)
  closeAfter(t, fd)
  return { fd, path }
}

/** What a read at the current position gets: its length, and its first letter. */
async function block(ring: Ring, fd: number): Promise<string> {
  const { bytesRead, buffer } = await ring.read(fd, ring.alloc(BLOCK))
  return `${bytesRead}${bytesRead === 0 ? '' : buffer.toString('latin1', 0, 1)}`
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`${kind}: reads one after the other get one block after the other, and then the end`, async (t) => {
    const ring = ringFor(t)
    const { fd } = make(t)
    for (const [index, letter] of LETTERS.entries()) {
      t.is(await block(ring, fd), `${BLOCK}${letter}`)
      t.is(positionOf(fd), (index + 1) * BLOCK)
    }
    t.is(await block(ring, fd), '0')
    t.is(await block(ring, fd), '0')
    t.is(positionOf(fd), MANY * BLOCK)
  })

  test(`${kind}: ${MANY} reads at once get every block once`, async (t) => {
    const ring = ringFor(t)
    const { fd } = make(t)
    const got = await Promise.all(LETTERS.map(() => block(ring, fd)))
    t.deepEqual(
      got,
      LETTERS.map((letter) => `${BLOCK}${letter}`),
    )
    t.is(positionOf(fd), MANY * BLOCK)
  })

  test(`${kind}: readv and writev move the position by all their buffers`, async (t) => {
    const ring = ringFor(t)
    const { fd, path } = make(t)
    const parts = () => [ring.alloc(BLOCK), ring.alloc(2 * BLOCK)]
    const reads = Array.from({ length: 3 }, async () => {
      const { bytesRead, buffers } = await ring.readv(fd, parts())
      return `${bytesRead}${buffers.map((buffer) => buffer.toString('latin1', 0, 1)).join('')}`
    })
    t.deepEqual(await Promise.all(reads), [`${3 * BLOCK}01`, `${3 * BLOCK}34`, `${3 * BLOCK}67`])
    t.is(positionOf(fd), 9 * BLOCK)
    const writes = ['a', 'b', 'c'].map((letter) =>
      ring.writev(
        fd,
        parts().map((part) => part.fill(letter)),
      ),
    )
    for (const { bytesWritten } of await Promise.all(writes)) t.is(bytesWritten, 3 * BLOCK)
    t.is(positionOf(fd), 18 * BLOCK)
    t.is(letters(path), `${LETTERS.slice(0, 9).join('')}aaabbbccc${LETTERS.slice(18).join('')}`)
  })

  test(`${kind}: writes, one after the other and at once, lie one behind the other`, async (t) => {
    const ring = ringFor(t)
    const { fd, path } = make(t)
    const write = (letter: string) => ring.write(fd, ring.alloc(BLOCK).fill(letter))
    for (const letter of 'abcd') t.is((await write(letter)).bytesWritten, BLOCK)
    t.is(positionOf(fd), 4 * BLOCK)
    await Promise.all(Array.from('efghij', write))
    t.is(positionOf(fd), 10 * BLOCK)
    t.is(letters(path), `abcdefghij${LETTERS.slice(10).join('')}`)
  })

  test(`${kind}: what was cancelled moves nothing, and the others get every block once`, async (t) => {
    const ring = ringFor(t)
    const { fd } = make(t)
    // Some before the kernel knows of any, which none escapes, and some as they are read.
    const early = new AbortController()
    const late = new AbortController()
    const reads = LETTERS.map(async (_, index) => {
      const signal = [undefined, early.signal, undefined, late.signal][index % 4]
      const result = await ring.read(fd, ring.alloc(BLOCK), {
        onCancel: 'resolve',
        ...(signal !== undefined && { signal }),
      })
      return result === CANCELLED ? '' : result.buffer.toString('latin1', 0, 1)
    })
    early.abort()
    await ring.nop()
    late.abort()
    const got = (await Promise.all(reads)).join('')
    t.is(got, LETTERS.slice(0, got.length).join(''))
    t.is(positionOf(fd), got.length * BLOCK)
    t.log(`${MANY - got.length} reads were cancelled`)
    t.true(got.length < MANY, 'none was cancelled: the test proved nothing')
    t.is(await block(ring, fd), got.length === MANY ? '0' : `${BLOCK}${LETTERS[got.length]}`)
  })

  test(`${kind}: after destroy() the position is behind what was delivered`, async (t) => {
    const { fd } = make(t)
    let delivered = 0
    for (let round = 0; round < 8; round += 1) {
      const ring = new Ring()
      const reads = Array.from({ length: 8 }, async () => {
        const result = await ring.read(fd, ring.alloc(BLOCK), { onCancel: 'resolve' })
        return result === CANCELLED ? '' : result.buffer.toString('latin1', 0, 1)
      })
      // At once, or after one or some of them.
      if (round % 3 === 1) await reads[0]
      if (round % 3 === 2) await ring.nop()
      await ring.destroy()
      const got = (await Promise.all(reads)).join('')
      t.is(got, LETTERS.slice(delivered, delivered + got.length).join(''))
      delivered += got.length
      t.is(positionOf(fd), delivered * BLOCK)
    }
    t.log(`${delivered} of ${MANY} were delivered`)
  })

  test(`${kind}: a process that shares the open file goes on where the ring was`, async (t) => {
    const ring = ringFor(t)
    const { fd } = make(t)
    t.is(await block(ring, fd), `${BLOCK}0`)
    t.is(await block(ring, fd), `${BLOCK}1`)
    const other = execFileSync('dd', [`bs=${BLOCK}`, 'count=1', 'status=none'], {
      stdio: [fd, 'pipe', 'inherit'],
    })
    t.is(other.toString('latin1', 0, 1), '2')
    t.is(await block(ring, fd), `${BLOCK}3`)
    t.is(positionOf(fd), 4 * BLOCK)
  })
}

/** The first letter of each block, as the medium has it. */
function letters(path: string): string {
  const fd = openSync(path, 'r')
  try {
    const bytes = readFileSync(fd)
    return Array.from({ length: bytes.length / BLOCK }, (_, index) =>
      String.fromCharCode(bytes[index * BLOCK] ?? 0),
    ).join('')
  } finally {
    closeSync(fd)
  }
}

test('O_DIRECT: a read that is short at the end of the file stands there', async (t) => {
  const ring = ringFor(t)
  const path = join(ext4For(t, 16 << 20), 'file')
  writeFileSync(path, Buffer.alloc(BLOCK + 100, 'x'), { flush: true })
  const fd = openSync(path, O_RDWR | O_DIRECT)
  closeAfter(t, fd)
  const counts = []
  for (let round = 0; round < 4; round += 1) {
    counts.push((await ring.read(fd, ring.alloc(BLOCK))).bytesRead, positionOf(fd))
  }
  t.deepEqual(counts, [BLOCK, BLOCK, 100, BLOCK + 100, 0, BLOCK + 100, 0, BLOCK + 100])
})
