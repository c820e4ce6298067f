/** A file's position, after every operation, is what it is after read(2) and write(2). */
import { execFileSync } from 'node:child_process'
import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  readvSync,
  writeFileSync,
  writeSync,
  writevSync,
} from 'node:fs'
import { dirname, join } from 'node:path'

import test, { type ExecutionContext } from 'ava'
import type { Ring } from 'uring-safe-cancel'

import { closeAfter, directoryFor, ringFor } from '../helpers.js'
import { blockDeviceFor, ext4For, overlayFor, positionOf, tmpfsFor } from './mounts.js'

const { O_APPEND, O_DIRECT, O_RDONLY, O_RDWR } = constants

const PAGE = 4096
const BYTES = 16 * PAGE

interface Step {
  kind: 'read' | 'write' | 'readv' | 'writev' | 'read at' | 'write at'
  bytes: number
  letter: string
}

/** Steps that follow from a seed, in multiples of `unit`. */
function stepsOf(seed: number, unit: number, kinds: Step['kind'][], count = 60): Step[] {
  let state = seed
  const random = (below: number) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  return Array.from({ length: count }, (_, index) => ({
    kind: kinds[random(kinds.length)] ?? 'read',
    bytes: random(Math.floor((3 * PAGE) / unit)) * unit,
    letter: String.fromCharCode(97 + (index % 26)),
  }))
}

/** Somewhere in the middle, for operations that name a position. */
const ELSEWHERE = PAGE

/** A step by read(2), write(2), readv(2), writev(2), pread(2) or pwrite(2): what it says, and what it read. */
function bySystemCall(fd: number, { kind, bytes, letter }: Step, memory: (bytes: number) => Buffer): string {
  const buffer = memory(bytes).fill(kind.startsWith('write') ? letter : 0)
  const parts = [buffer, memory(bytes).fill(kind.startsWith('write') ? letter : 0)]
  return toldBy(() => {
    switch (kind) {
      case 'read':
        return [readSync(fd, buffer, 0, bytes, null), buffer]
      case 'read at':
        return [readSync(fd, buffer, 0, bytes, ELSEWHERE), buffer]
      case 'readv':
        return [readvSync(fd, parts), ...parts]
      case 'write':
        return [writeSync(fd, buffer, 0, bytes, null)]
      case 'write at':
        return [writeSync(fd, buffer, 0, bytes, ELSEWHERE)]
      case 'writev':
      default:
        return [writevSync(fd, parts)]
    }
  })
}

async function byRing(ring: Ring, fd: number, { kind, bytes, letter }: Step): Promise<string> {
  const memory = () => ring.alloc(bytes).fill(kind.startsWith('write') ? letter : 0)
  const buffer = memory()
  const parts = [buffer, memory()]
  const result = async (): Promise<[number, ...Buffer[]]> => {
    switch (kind) {
      case 'read':
        return [(await ring.read(fd, buffer)).bytesRead, buffer]
      case 'read at':
        return [(await ring.read(fd, buffer, { position: ELSEWHERE })).bytesRead, buffer]
      case 'readv':
        return [(await ring.readv(fd, parts)).bytesRead, ...parts]
      case 'write':
        return [(await ring.write(fd, buffer)).bytesWritten]
      case 'write at':
        return [(await ring.write(fd, buffer, { position: ELSEWHERE })).bytesWritten]
      case 'writev':
      default:
        return [(await ring.writev(fd, parts)).bytesWritten]
    }
  }
  try {
    const told = await result()
    return toldBy(() => told)
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

function toldBy(call: () => [number, ...Buffer[]]): string {
  try {
    const [count, ...buffers] = call()
    const all = Buffer.concat(buffers).subarray(0, Math.max(count, 0))
    return `${count} ${all.toString('latin1').replace(/(.)\1*/gs, (run: string, of: string) => `${of}${run.length}`)}`
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

const ALL: Step['kind'][] = ['read', 'write', 'readv', 'writev', 'read at', 'write at']

interface Case {
  /** The same file twice: for the ring, and for the system calls. */
  paths: [string, string]
  flags: number
  unit?: number
  kinds?: Step['kind'][]
}

function twoIn(directory: string): [string, string] {
  const paths: [string, string] = [join(directory, 'one'), join(directory, 'two')]
  for (const path of paths) {
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, Buffer.alloc(BYTES, '.'), { flush: true })
  }
  return paths
}

const CASES: Record<string, (t: ExecutionContext) => Case> = {
  'a file': (t) => ({ paths: twoIn(directoryFor(t)), flags: O_RDWR }),
  'a file with O_APPEND': (t) => ({ paths: twoIn(directoryFor(t)), flags: O_RDWR | O_APPEND }),
  'a file of tmpfs': (t) => ({ paths: twoIn(tmpfsFor(t, 64 << 20)), flags: O_RDWR }),
  'a file of ext4': (t) => ({ paths: twoIn(ext4For(t, 16 << 20)), flags: O_RDWR }),
  'a file of ext4 with O_DIRECT': (t) => ({
    paths: twoIn(ext4For(t, 16 << 20)),
    flags: O_RDWR | O_DIRECT,
    unit: PAGE,
  }),
  'a file of ext4 with O_DIRECT and O_APPEND': (t) => ({
    paths: twoIn(ext4For(t, 16 << 20)),
    flags: O_RDWR | O_DIRECT | O_APPEND,
    unit: PAGE,
  }),
  'a file of ext4 with O_DIRECT that must be refused': (t) => ({
    paths: twoIn(ext4For(t, 16 << 20)),
    flags: O_RDWR | O_DIRECT,
    unit: 100,
    kinds: ['read', 'write', 'readv'],
  }),
  'a file of an overlay': (t) => ({ paths: twoIn(overlayFor(t)), flags: O_RDWR }),
  'a block device': (t) => ({ paths: [blockDeviceFor(t, BYTES), blockDeviceFor(t, BYTES)], flags: O_RDWR }),
  'a block device with O_DIRECT': (t) => ({
    paths: [blockDeviceFor(t, BYTES), blockDeviceFor(t, BYTES)],
    flags: O_RDWR | O_DIRECT,
    unit: PAGE,
  }),
  'a file of /proc': () => ({
    paths: ['/proc/filesystems', '/proc/filesystems'],
    flags: O_RDONLY,
    kinds: ['read', 'readv', 'read at'],
  }),
  'a file of /sys': () => ({
    paths: ['/sys/kernel/mm/transparent_hugepage/enabled', '/sys/kernel/mm/transparent_hugepage/enabled'],
    flags: O_RDONLY,
    kinds: ['read', 'read at'],
  }),
  'a file that is open for reading alone': (t) => ({ paths: twoIn(directoryFor(t)), flags: O_RDONLY }),
}

for (const [name, make] of Object.entries(CASES)) {
  test(`position of ${name}: after every operation as after its system call`, async (t) => {
    const ring = ringFor(t)
    const { paths, flags, unit = 1, kinds = ALL } = make(t)
    for (const seed of [1, 2, 3]) {
      const [one, two] = paths.map((path) => openSync(path, flags)) as [number, number]
      try {
        for (const [index, step] of stepsOf(seed, unit, kinds).entries()) {
          const right = bySystemCall(two, step, (bytes) => ring.alloc(bytes))
          const words = `seed ${seed}, step ${index}: ${step.kind} of ${step.bytes}`
          t.is(await byRing(ring, one, step), right, words)
          t.is(positionOf(one), positionOf(two), words)
        }
      } finally {
        closeSync(one)
        closeSync(two)
      }
    }
    t.true(readFileSync(paths[0]).equals(readFileSync(paths[1])), 'what is in the files')
  })
}

for (const [name, flags] of Object.entries({ 'a file': 0, 'a file with O_DIRECT': O_DIRECT })) {
  test(`position of ${name}: a process that shares the open file and the ring take turns`, async (t) => {
    const ring = ringFor(t)
    const path = join(ext4For(t, 16 << 20), 'file')
    const blocks = Array.from('abcdefghijkl')
    writeFileSync(path, Buffer.concat(blocks.map((letter) => Buffer.alloc(PAGE, letter))), { flush: true })
    const fd = openSync(path, O_RDWR | flags)
    closeAfter(t, fd)
    let got = ''
    while (got.length < blocks.length) {
      const reads = [0, 1].map(async () =>
        (await ring.read(fd, ring.alloc(PAGE))).buffer.toString('latin1', 0, 1),
      )
      got += (await Promise.all(reads)).join('')
      const other = execFileSync('dd', [`bs=${PAGE}`, 'count=1', 'status=none'], {
        stdio: [fd, 'pipe', 'inherit'],
      })
      got += other.toString('latin1', 0, 1)
    }
    t.is(got, blocks.join(''))
    t.is(positionOf(fd), blocks.length * PAGE)
  })
}

test('position of a file: a process that writes to the open file, too, and the ring overwrite nothing of each other', async (t) => {
  const ring = ringFor(t)
  const path = join(directoryFor(t), 'file')
  const fd = openSync(path, 'w+')
  closeAfter(t, fd)
  for (let round = 0; round < 5; round += 1) {
    await Promise.all([ring.write(fd, 'ab'), ring.write(fd, 'cd')])
    execFileSync('printf', ['ef'], { stdio: ['ignore', fd, 'inherit'] })
  }
  t.is(readFileSync(path, 'utf8'), 'abcdef'.repeat(5))
  t.is(positionOf(fd), 30)
})
