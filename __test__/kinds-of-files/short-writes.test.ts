/** Writes at the current position that are cut short, and what follows them: an error, and never the beginning of the file. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

import test, { type ExecutionContext } from 'ava'
import type { Ring } from 'uring-safe-cancel'

import { directoryFor, ringFor } from '../helpers.js'
import { ext4For, positionOf, tmpfsFor } from './mounts.js'

const { O_APPEND, O_CREAT, O_DIRECT, O_RDWR } = constants

const MIB = 1 << 20
const PAGE = 4096
/** A direct write that does not fit on an ext4 as a whole writes nothing there, not with write(2) either. */
const AT_ONCE = 2 * MIB

/** No two pages of it are the same, so that a page that lies elsewhere is seen. */
function content(bytes: number): Buffer {
  const data = Buffer.alloc(bytes)
  for (let page = 0; page < bytes / PAGE; page += 1)
    data.fill(`page ${page}.`, page * PAGE, (page + 1) * PAGE)
  return data
}

/** Writes all of it, as every program does, until an error comes. */
async function writeAll(ring: Ring, fd: number, data: Buffer, vectored: boolean): Promise<[number, string]> {
  let written = 0
  try {
    while (written < data.length) {
      const rest = data.subarray(written, written + AT_ONCE)
      const middle = Math.ceil(rest.length / 2 / PAGE) * PAGE
      const { bytesWritten } = vectored
        ? await ring.writev(fd, [rest.subarray(0, middle), rest.subarray(middle)])
        : await ring.write(fd, rest)
      written += bytesWritten
    }
  } catch (error) {
    return [written, error instanceof Error && 'code' in error ? String(error.code) : String(error)]
  }
  return [written, 'no error']
}

/** The largest file that this process may write. */
function limit(fsize: string): void {
  execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${fsize}`])
}

interface Full {
  code: string
  path: string
  /** More than the place has room for. */
  bytes: number
  /** How many bytes fit, where it is known. */
  fits?: number
}

const PLACES: Record<string, (t: ExecutionContext) => Full> = {
  'the largest file that the process may have (EFBIG)': (t) => {
    limit(`${MIB}:unlimited`)
    t.teardown(() => limit('unlimited:unlimited'))
    return { code: 'EFBIG', path: join(directoryFor(t), 'file'), bytes: 3 * MIB, fits: MIB }
  },
  'a full tmpfs (ENOSPC)': (t) => {
    return { code: 'ENOSPC', path: join(tmpfsFor(t, MIB), 'file'), bytes: 3 * MIB, fits: MIB }
  },
  'a full ext4 (ENOSPC)': (t) => ({
    code: 'ENOSPC',
    path: join(ext4For(t, 5 * MIB), 'file'),
    bytes: 8 * MIB,
  }),
}

for (const [place, make] of Object.entries(PLACES)) {
  for (const vectored of [false, true]) {
    for (const [kind, flags] of Object.entries({ '': 0, 'O_DIRECT, ': O_DIRECT, 'O_APPEND, ': O_APPEND })) {
      const name = `${kind}${vectored ? 'writev' : 'write'}: ${place} ends a loop of writes, and loses nothing of it`
      test(name, async (t) => {
        const ring = ringFor(t)
        const { code, path, bytes, fits } = make(t)
        const data = ring.alloc(bytes)
        content(bytes).copy(data)
        const fd = openSync(path, O_RDWR | O_CREAT | flags)
        const [written, how] = await writeAll(ring, fd, data, vectored)
        const position = positionOf(fd)
        const { size } = statSync(path)
        closeSync(fd)
        t.is(how, code)
        if (fits !== undefined) t.is(written, fits)
        t.true(written > 0)
        t.is(position, written)
        t.is(size, written)
        t.true(readFileSync(path).equals(data.subarray(0, written)), 'what is in the file')
      })
    }
  }
}

test('several writes at once before a disk is full: each is whole, short, or an error, and none lies on another', async (t) => {
  const ring = ringFor(t)
  const path = join(tmpfsFor(t, MIB), 'file')
  const fd = openSync(path, 'w+')
  const data = content(3 * MIB)
  const step = 100 * PAGE
  const writes: Promise<string>[] = []
  for (let from = 0; from < data.length; from += step) {
    const piece = data.subarray(from, from + step)
    writes.push(
      ring.write(fd, piece).then(
        ({ bytesWritten }) => String(bytesWritten),
        (error: unknown) => String((error as NodeJS.ErrnoException).code),
      ),
    )
  }
  const ends = await Promise.all(writes)
  t.deepEqual(ends.slice(0, 3), [String(step), String(step), String(MIB - 2 * step)])
  t.true(
    ends.slice(3).every((end) => end === 'ENOSPC'),
    ends.join(),
  )
  t.is(positionOf(fd), MIB)
  closeSync(fd)
  t.true(readFileSync(path).equals(data.subarray(0, MIB)))
})

test('a disk that has room again goes on where it was full', async (t) => {
  const ring = ringFor(t)
  const directory = tmpfsFor(t, MIB)
  const ballast = join(directory, 'ballast')
  writeFileSync(ballast, Buffer.alloc(MIB / 2))
  const path = join(directory, 'file')
  const fd = openSync(path, 'w+')
  const data = content(MIB)
  const [first, how] = await writeAll(ring, fd, data, false)
  t.deepEqual([first, how], [MIB / 2, 'ENOSPC'])
  writeFileSync(ballast, '')
  t.deepEqual(await writeAll(ring, fd, data.subarray(first), false), [MIB / 2, 'no error'])
  closeSync(fd)
  t.true(readFileSync(path).equals(data))
})

test('a write of nothing and a write that fails at once leave the position', async (t) => {
  const ring = ringFor(t)
  const fd = openSync(join(directoryFor(t), 'file'), 'w+')
  t.teardown(() => closeSync(fd))
  writeSync(fd, 'abc')
  await ring.write(fd, '')
  t.is(positionOf(fd), 3)
  await t.throwsAsync(ring.write(openedForReading(t), 'x'), { code: 'EBADF' })
  t.is(positionOf(fd), 3)
})

function openedForReading(t: ExecutionContext): number {
  const path = join(directoryFor(t), 'file')
  writeFileSync(path, 'abc')
  const fd = openSync(path, 'r')
  t.teardown(() => closeSync(fd))
  return fd
}
