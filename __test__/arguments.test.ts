import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, readSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { inspect } from 'node:util'

import test, { type ExecutionContext } from 'ava'
import { CANCELLED, eventfd, pipe, Ring } from 'uring-safe-cancel'

import { closeAfter, directoryFor, eventBytes, fate, fileFor, ringFor } from './helpers.js'

interface Coded extends Error {
  code: string
}

/** Calls a method with arguments that its types would refuse. */
function call(ring: Ring, method: string, ...args: unknown[]): Promise<unknown> {
  return Reflect.apply(Reflect.get(ring, method), ring, args)
}

/** Checks that a call rejects (and does not throw) with an error of Node's kind that says what was wrong. */
async function refuses(
  t: ExecutionContext,
  what: string,
  begin: () => Promise<unknown>,
  code: string,
  words: RegExp,
): Promise<void> {
  let promise: Promise<unknown>
  try {
    promise = begin()
  } catch (error) {
    t.fail(`${what} threw instead of rejecting: ${inspect(error)}`)
    return
  }
  const error = await promise.then(
    (value) => new Error(`${what} resolved to ${inspect(value)}`),
    (reason: Coded) => reason,
  )
  t.is((error as Coded).code, code, `${what}: ${error.message}`)
  const type = code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError
  t.true(error instanceof type, `${what}: ${error.name}`)
  t.regex(error.message, words, what)
}

/** The same for what throws at the call. */
function throws(t: ExecutionContext, what: string, begin: () => unknown, code: string, words: RegExp): void {
  const error = t.throws<Coded>(begin, undefined, what)
  t.is(error?.code, code, `${what}: ${error?.message}`)
  t.true(error instanceof (code === 'ERR_OUT_OF_RANGE' ? RangeError : TypeError), what)
  t.regex(error.message, words, what)
}

type ViewOf = new (memory: ArrayBufferLike, start?: number, length?: number) => NodeJS.ArrayBufferView
const VIEWS = [Uint8Array, Uint8ClampedArray, Int16Array, Float32Array, BigInt64Array, DataView] as ViewOf[]

/** A regular expression for words that may have signs in them. */
function literal(text: string): string {
  return text.replace(/[.+()*]/g, '\\$&')
}

/** The call that makes a ring with these options. */
function make(options: unknown): () => Ring {
  return () => new Ring(options as object)
}

/** A ring's options with one that has this full name. */
function optionsWith(name: string, value: unknown): object {
  return name.startsWith('cancel.') ? { cancel: { [name.slice(7)]: value } } : { [name]: value }
}

/** A view whose memory is gone. */
function detached<T>(viewOn: (buffer: ArrayBuffer) => T): T {
  const buffer = new ArrayBuffer(64)
  const view = viewOn(buffer)
  structuredClone(buffer, { transfer: [buffer] })
  return view
}

const ON_A_DESCRIPTOR: Record<string, (ring: Ring, fd: unknown, options?: unknown) => Promise<unknown>> = {
  read: (ring, fd, options) => call(ring, 'read', fd, options),
  'read into': (ring, fd, options) => call(ring, 'read', fd, Buffer.alloc(8), options),
  'read by arguments': (ring, fd, options) => call(ring, 'read', fd, Buffer.alloc(8), 0, 8, null, options),
  write: (ring, fd, options) => call(ring, 'write', fd, Buffer.alloc(8), options),
  'write by arguments': (ring, fd, options) => call(ring, 'write', fd, Buffer.alloc(8), 0, 8, null, options),
  'write text': (ring, fd, options) => call(ring, 'write', fd, 'text', options),
  readv: (ring, fd, options) => call(ring, 'readv', fd, [Buffer.alloc(8)], null, options),
  writev: (ring, fd, options) => call(ring, 'writev', fd, [Buffer.alloc(8)], null, options),
  poll: (ring, fd, options) => call(ring, 'poll', fd, 1, options),
  fsync: (ring, fd, options) => call(ring, 'fsync', fd, options),
  fdatasync: (ring, fd, options) => call(ring, 'fdatasync', fd, options),
}
const WITHOUT_OPTIONS: typeof ON_A_DESCRIPTOR = {
  closeFd: (ring, fd) => call(ring, 'closeFd', fd),
}
const ON_NONE: Record<string, (ring: Ring, options: unknown) => Promise<unknown>> = {
  nop: (ring, options) => call(ring, 'nop', options),
  sleep: (ring, options) => call(ring, 'sleep', 1, options),
  open: (ring, options) => call(ring, 'open', '/dev/null', 'r', 0o600, options),
}
const SYSCALLS: Record<string, string> = {
  'read into': 'read',
  'read by arguments': 'read',
  'write by arguments': 'write',
  'write text': 'write',
  closeFd: 'close',
}

test('fd: what is no descriptor is refused by every method, and named', async (t) => {
  const ring = ringFor(t)
  const wrong = [undefined, null, '3', 3n, true, {}, { fd: '3' }, [], Symbol('fd'), () => 3]
  const beyond = [-1, -7, 1.5, NaN, Infinity, 2 ** 31, 2 ** 53, { fd: 2 ** 31 }, { fd: -2 }]
  const methods = { ...ON_A_DESCRIPTOR, ...WITHOUT_OPTIONS, cancelFd: WITHOUT_OPTIONS['closeFd'] }
  for (const [name, begin] of Object.entries(methods)) {
    for (const fd of wrong) {
      const what = `${name}(${inspect(fd)})`
      const run = () =>
        name === 'cancelFd' ? call(ring, 'cancelFd', fd) : (begin?.(ring, fd) ?? Promise.resolve())
      await refuses(t, what, run, 'ERR_INVALID_ARG_TYPE', /^The "fd" argument must be a number.*Received /)
    }
    for (const fd of beyond) {
      const what = `${name}(${inspect(fd)})`
      const run = () =>
        name === 'cancelFd' ? call(ring, 'cancelFd', fd) : (begin?.(ring, fd) ?? Promise.resolve())
      await refuses(
        t,
        what,
        run,
        'ERR_OUT_OF_RANGE',
        /^The value of "fd" is out of range\. It must be .*Received /,
      )
    }
  }
  t.is(ring.stats().submitted, 0, 'nothing reached the kernel')
})

test('fd: a closed number and a closed FileHandle are EBADF, as node:fs words it', async (t) => {
  const ring = ringFor(t)
  const handle = await open('/dev/null')
  await handle.close()
  const number = openSync('/dev/null', 'r')
  closeSync(number)
  for (const [name, begin] of Object.entries({ ...ON_A_DESCRIPTOR, ...WITHOUT_OPTIONS })) {
    for (const fd of [number, handle]) {
      for (const options of name === 'closeFd' ? [undefined] : [undefined, { async: true }]) {
        const error = await t.throwsAsync<NodeJS.ErrnoException>(begin(ring, fd, options), undefined, name)
        const syscall = SYSCALLS[name] ?? name
        t.is(error?.message, `EBADF: bad file descriptor, ${syscall}`, name)
        t.like(error, { code: 'EBADF', errno: -9, syscall }, name)
        t.true(Object.getPrototypeOf(error) === Error.prototype, name)
      }
    }
  }
})

test('fd: a closed FileHandle stands for none of the operations without a descriptor', async (t) => {
  const ring = ringFor(t)
  const handle = await open('/dev/null')
  await handle.close()
  const sleeping = ring.sleep(20)
  t.is(await ring.cancelFd(handle), 0)
  await t.throwsAsync(ring.closeFd(handle), { code: 'EBADF' })
  t.is(await fate(sleeping), 'resolved')
})

test('fd: cancelFd finds the operations of a FileHandle that was closed meanwhile', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, writeFd)
  const handle = { fd: readFd }
  const reading = ring.read(handle)
  await ring.nop()
  closeSync(readFd)
  handle.fd = -1
  t.is(await ring.cancelFd(handle), 1)
  t.is(await fate(reading), 'ABORT_ERR')
})

test('fd: one of the wrong kind fails as the kernel says', async (t) => {
  const ring = ringFor(t)
  const directory = openSync(directoryFor(t), 'r')
  const readOnly = openSync('/dev/null', 'r')
  const writeOnly = openSync('/dev/null', 'w')
  const { readFd, writeFd } = pipe()
  closeAfter(t, directory, readOnly, writeOnly, readFd, writeFd)
  const cases: [string, () => Promise<unknown>, string][] = [
    ['read a directory', () => ring.read(directory), 'EISDIR: illegal operation on a directory, read'],
    [
      'readv a directory',
      () => ring.readv(directory, [Buffer.alloc(8)]),
      'EISDIR: illegal operation on a directory, readv',
    ],
    ['write what is read-only', () => ring.write(readOnly, 'text'), 'EBADF: bad file descriptor, write'],
    ['read what is write-only', () => ring.read(writeOnly), 'EBADF: bad file descriptor, read'],
    ['sync a pipe', () => ring.fsync(readFd), 'EINVAL: invalid argument, fsync'],
    [
      'open a file as a directory',
      () => ring.open('/dev/null/x'),
      "ENOTDIR: not a directory, open '/dev/null/x'",
    ],
    [
      'open what is not there',
      () => ring.open('/nowhere'),
      "ENOENT: no such file or directory, open '/nowhere'",
    ],
    [
      'open a URL',
      () => ring.open(new URL('file:///no%20where')),
      "ENOENT: no such file or directory, open '/no where'",
    ],
  ]
  for (const [what, begin, message] of cases) await t.throwsAsync(begin(), { message }, what)
  // To write fewer bytes than its number has, an eventfd refuses.
  const event = eventfd()
  closeAfter(t, event)
  await t.throwsAsync(ring.write(event, Buffer.alloc(4)), { code: 'EINVAL' })
})

test('buffer, offset and length: what does not fit is refused in each of the overloads', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, 'content')
  const bytes = Buffer.alloc(16)
  for (const method of ['read', 'write']) {
    for (const value of ['1', 1n, true, {}, Symbol('x')]) {
      for (const name of ['offset', 'length']) {
        const words = new RegExp(`^The "${name}" argument must be a number\\. Received `)
        const what = `${method}: ${name} ${inspect(value)}`
        const options = { [name]: value }
        await refuses(t, what, () => call(ring, method, fd, bytes, options), 'ERR_INVALID_ARG_TYPE', words)
        // An object in the place of an offset is the options.
        if (typeof value === 'object' && name === 'offset') continue
        const args = name === 'offset' ? [value] : [0, value]
        await refuses(t, what, () => call(ring, method, fd, bytes, ...args), 'ERR_INVALID_ARG_TYPE', words)
      }
    }
    for (const [offset, length, name] of [
      [-1, 1, 'offset'],
      [17, 0, 'offset'],
      [1.5, 1, 'offset'],
      [NaN, 1, 'offset'],
      [2 ** 53, 1, 'offset'],
      [0, -1, 'length'],
      [0, 17, 'length'],
      [16, 1, 'length'],
      [8, 9, 'length'],
      [0, 0.5, 'length'],
      [0, Infinity, 'length'],
      [0, 2 ** 32, 'length'],
    ] as const) {
      const words = new RegExp(`^The value of "${name}" is out of range\\. It must be .*Received `)
      const what = `${method}: offset ${offset}, length ${length}`
      await refuses(t, what, () => call(ring, method, fd, bytes, offset, length), 'ERR_OUT_OF_RANGE', words)
      const options = { offset, length }
      await refuses(t, what, () => call(ring, method, fd, bytes, options), 'ERR_OUT_OF_RANGE', words)
    }
    const values = [1, true, Symbol('x'), () => bytes, new ArrayBuffer(8), new SharedArrayBuffer(8), [1, 2]]
    for (const value of method === 'read' ? ['text', ...values] : [...values, null, undefined, {}]) {
      const what = `${method}: buffer ${inspect(value)}`
      const words = /^The "buffer" argument must be .*Buffer, TypedArray, or DataView\. Received /
      await refuses(t, what, () => call(ring, method, fd, value), 'ERR_INVALID_ARG_TYPE', words)
    }
  }
  t.is(ring.stats().submitted, 0)
  t.is(readFileSync(`/proc/self/fd/${fd}`, 'utf8'), 'content')
})

test('buffer: without one a read still takes its length, position and options, and no offset', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, '0123456789')
  for (const nothing of [undefined, null]) {
    const result = await call(ring, 'read', fd, nothing, 0, 3, 4)
    t.like(result, { bytesRead: 3, buffer: Buffer.from('456') })
    const signal = AbortSignal.abort()
    await t.throwsAsync(call(ring, 'read', fd, nothing, null, null, null, { signal }), { code: 'ABORT_ERR' })
  }
  await refuses(t, 'offset', () => ring.read(fd, { offset: 1 }), 'ERR_OUT_OF_RANGE', /"offset"/)
  for (const length of [-1, 2 ** 31, NaN, 1.5]) {
    await refuses(t, `length ${length}`, () => ring.read(fd, { length }), 'ERR_OUT_OF_RANGE', /"length"/)
  }
  t.like(await ring.read(fd, { length: 0 }), { bytesRead: 0, buffer: Buffer.alloc(0) })
})

test('position: anything but an integer up to 2^53 - 1, -1 or null is refused', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, 'content')
  const bytes = Buffer.alloc(7)
  const methods: Record<string, (position: unknown) => Promise<unknown>> = {
    read: (position) => call(ring, 'read', fd, bytes, 0, 7, position),
    'read with options': (position) => call(ring, 'read', fd, bytes, { position }),
    'read without a buffer': (position) => call(ring, 'read', fd, { position }),
    write: (position) => call(ring, 'write', fd, bytes, 0, 7, position),
    'write with options': (position) => call(ring, 'write', fd, bytes, { position }),
    'write text': (position) => call(ring, 'write', fd, 'text', position),
    'write text with options': (position) => call(ring, 'write', fd, 'text', { position }),
    readv: (position) => call(ring, 'readv', fd, [bytes], position),
    writev: (position) => call(ring, 'writev', fd, [bytes], position),
  }
  for (const [name, begin] of Object.entries(methods)) {
    for (const position of [
      -2,
      -1.5,
      0.5,
      NaN,
      Infinity,
      2 ** 53,
      2 ** 64,
      -2n,
      2n ** 53n,
      2n ** 53n + 1n,
      2n ** 70n,
    ]) {
      const words =
        /^The value of "position" is out of range\. It must be an integer >= -1 and <= 9007199254740991\. Received type /
      await refuses(t, `${name}: ${position}`, () => begin(position), 'ERR_OUT_OF_RANGE', words)
    }
    for (const position of ['0', true, Symbol('x')]) {
      const words = /^The "position" argument must be a number, a bigint or null\. Received /
      await refuses(t, `${name}: ${String(position)}`, () => begin(position), 'ERR_INVALID_ARG_TYPE', words)
    }
  }
  t.is(ring.stats().submitted, 0)
  // The largest that there is lies beyond the end of every file. Whether one may grow so far depends on the file
  // system: ext4 refuses, tmpfs and xfs write there.
  for (const position of [Number.MAX_SAFE_INTEGER, BigInt(Number.MAX_SAFE_INTEGER)]) {
    t.like(await ring.read(fd, bytes, { position }), { bytesRead: 0 })
    if ((await fate(ring.write(fd, bytes, { position }))) === 'resolved') {
      t.is(fstatSync(fd, { bigint: true }).size, BigInt(position) + 7n)
      ftruncateSync(fd, 7)
    } else {
      await t.throwsAsync(ring.write(fd, bytes, { position }), { code: 'EFBIG' })
    }
  }
  t.like(await ring.read(fd, bytes, { position: 3n }), { bytesRead: 4 })
  t.is(bytes.toString('utf8', 0, 4), 'tent')
  t.like(await ring.read(fd, bytes, { position: -1n }), { bytesRead: 7 }, '-1 is the current position')
})

test('options: a wrong signal, timeout, async or onCancel is refused by every operation', async (t) => {
  const ring = ringFor(t)
  const fd = openSync('/dev/zero', 'r+')
  closeAfter(t, fd)
  const onOne = Object.entries(ON_A_DESCRIPTOR).map(
    ([name, begin]) => [name, (options: unknown) => begin(ring, fd, options)] as const,
  )
  const onNone = Object.entries(ON_NONE).map(
    ([name, begin]) => [name, (options: unknown) => begin(ring, options)] as const,
  )
  const wrong: [object, string, RegExp][] = [
    [
      { signal: null },
      'ERR_INVALID_ARG_TYPE',
      /"options\.signal" property must be an instance of AbortSignal\. Received null$/,
    ],
    [{ signal: {} }, 'ERR_INVALID_ARG_TYPE', /"options\.signal".*Received an instance of Object$/],
    [
      { signal: new AbortController() },
      'ERR_INVALID_ARG_TYPE',
      /"options\.signal".*an instance of AbortController$/,
    ],
    [
      { timeout: '5' },
      'ERR_INVALID_ARG_TYPE',
      /"options\.timeout" property must be a number\. Received type string \('5'\)$/,
    ],
    [{ timeout: null }, 'ERR_INVALID_ARG_TYPE', /"options\.timeout"/],
    [{ timeout: -1 }, 'ERR_OUT_OF_RANGE', /"options\.timeout" is out of range.*Received type number \(-1\)$/],
    [{ timeout: NaN }, 'ERR_OUT_OF_RANGE', /"options\.timeout"/],
    [{ timeout: Infinity }, 'ERR_OUT_OF_RANGE', /"options\.timeout"/],
    [{ async: 1 }, 'ERR_INVALID_ARG_TYPE', /"options\.async" property must be a boolean/],
    [{ async: null }, 'ERR_INVALID_ARG_TYPE', /"options\.async"/],
    [
      { onCancel: 'throw' },
      'ERR_INVALID_ARG_TYPE',
      /"options\.onCancel" property must be 'reject' or 'resolve'/,
    ],
    [{ onCancel: true }, 'ERR_INVALID_ARG_TYPE', /"options\.onCancel"/],
  ]
  for (const [name, begin] of [...onOne, ...onNone]) {
    for (const [options, code, words] of wrong) {
      await refuses(t, `${name}: ${inspect(options)}`, () => begin(options), code, words)
    }
    // undefined is none; unknown keys are no error, as for node:fs.
    const none = { signal: undefined, timeout: undefined, async: undefined, onCancel: undefined, other: 1 }
    const fateOf = await fate(begin(none))
    t.true(fateOf === 'resolved' || fateOf === 'EINVAL', `${name}: ${fateOf}`)
  }
  const takesOnlyThem = new Set([
    'poll',
    'fsync',
    'fdatasync',
    'readv',
    'writev',
    'read by arguments',
    'write by arguments',
  ])
  const methods = [...onOne.filter(([name]) => takesOnlyThem.has(name)), ...onNone]
  for (const [name, begin] of methods) {
    for (const options of ['text', 1, true, [], new Uint8Array(8), new ArrayBuffer(8), () => ({})]) {
      const words = /^The "options" argument must be an object\. Received /
      await refuses(t, `${name}(${inspect(options)})`, () => begin(options), 'ERR_INVALID_ARG_TYPE', words)
    }
  }
})

test('options: they are those of the call, whatever becomes of the object', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const controller = new AbortController()
  let reads = 0
  const options: Record<string, unknown> = {
    get signal() {
      reads += 1
      return reads === 1 ? controller.signal : null
    },
    timeout: 60_000,
    onCancel: 'resolve',
  }
  const reading = call(ring, 'read', readFd, options)
  t.is(reads, 1, 'a getter is asked once')
  options['onCancel'] = 'reject'
  options['timeout'] = 0
  controller.abort()
  t.is(await reading, CANCELLED)
})

test('poll, sleep and alloc: events, milliseconds and bytes', async (t) => {
  const ring = ringFor(t)
  const fd = openSync('/dev/null', 'r')
  closeAfter(t, fd)
  for (const value of [undefined, null, '1', 1n, {}]) {
    const type = 'ERR_INVALID_ARG_TYPE'
    await refuses(t, `poll ${inspect(value)}`, () => call(ring, 'poll', fd, value), type, /"events" argument/)
    await refuses(
      t,
      `sleep ${inspect(value)}`,
      () => call(ring, 'sleep', value),
      type,
      /"milliseconds" argument/,
    )
    throws(t, `alloc ${inspect(value)}`, () => call(ring, 'alloc', value), type, /"bytes" argument/)
  }
  const range = 'ERR_OUT_OF_RANGE'
  for (const value of [-1, 0.5, NaN, 0x8000]) {
    await refuses(t, `poll ${value}`, () => ring.poll(fd, value), range, /"events" is out of range/)
  }
  for (const value of [-1, NaN, Infinity, 1e16]) {
    await refuses(t, `sleep ${value}`, () => ring.sleep(value), range, /"milliseconds" is out of range/)
  }
  for (const value of [-1, 0.5, NaN, 2 ** 31, Infinity]) {
    throws(t, `alloc ${value}`, () => ring.alloc(value), range, /"bytes" is out of range/)
  }
  await ring.sleep(0)
  await ring.sleep(0.5)
  t.is(ring.alloc(0).length, 0)
  const longest = ring.sleep(8.64e15)
  t.like(await ring.cancel(longest), { outcome: 'cancelled' })
})

test('open: path, flags and mode', async (t) => {
  const ring = ringFor(t)
  const type = 'ERR_INVALID_ARG_TYPE'
  for (const path of [
    undefined,
    null,
    3,
    true,
    {},
    Object.create(null),
    Symbol('x'),
    [],
    new Uint16Array(2),
  ]) {
    const words = /^The "path" argument must be of type string or an instance of Buffer or URL\. Received /
    await refuses(t, `path ${inspect(path)}`, () => call(ring, 'open', path), type, words)
  }
  const value = 'ERR_INVALID_ARG_VALUE'
  const nul = /^The argument 'path' must be a string, Uint8Array, or URL without null bytes\. Received /
  await refuses(t, 'a NUL', () => ring.open('/dev/null\0'), value, nul)
  await refuses(t, 'a NUL in bytes', () => ring.open(Buffer.from('/dev/null\0x')), value, nul)
  await t.throwsAsync(ring.open(new URL('http://localhost/')), { code: 'ERR_INVALID_URL_SCHEME' })
  for (const flags of ['', 'rw', 'R', 'constructor', '__proto__', 'toString']) {
    const words = /^The argument 'flags' must be one of r, .*, or a number\. Received /
    await refuses(t, `flags ${flags}`, () => ring.open('/dev/null', flags), value, words)
  }
  for (const flags of [true, {}, 1n]) {
    await refuses(
      t,
      `flags ${inspect(flags)}`,
      () => call(ring, 'open', '/dev/null', flags),
      type,
      /"flags" argument/,
    )
  }
  for (const flags of [-1, 1.5, 2 ** 31, NaN]) {
    await refuses(t, `flags ${flags}`, () => ring.open('/dev/null', flags), 'ERR_OUT_OF_RANGE', /"flags"/)
  }
  for (const mode of ['0644', true, {}, 1n]) {
    await refuses(
      t,
      `mode ${inspect(mode)}`,
      () => call(ring, 'open', '/dev/null', 'r', mode),
      type,
      /"mode" argument/,
    )
  }
  for (const mode of [-1, 1.5, 0o10000, NaN]) {
    await refuses(t, `mode ${mode}`, () => ring.open('/dev/null', 'r', mode), 'ERR_OUT_OF_RANGE', /"mode"/)
  }
  t.is(ring.stats().submitted, 0)
  await t.throwsAsync(ring.open(''), { message: "ENOENT: no such file or directory, open ''" })
  await t.throwsAsync(ring.open('x'.repeat(5000)), { code: 'ENAMETOOLONG' })
  for (const flags of [null, undefined, 'r', 'rs', 'sr', 'r+', 'sr+', 0]) {
    const fd = (await call(ring, 'open', Buffer.from('/dev/null'), flags)) as number
    await ring.closeFd(fd)
  }
})

test('readv and writev: buffers', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, 'content')
  for (const method of ['readv', 'writev']) {
    for (const buffers of [
      undefined,
      null,
      'text',
      {},
      Buffer.alloc(8),
      [1],
      [null],
      ['x'],
      [new ArrayBuffer(8)],
      Object.assign([], { length: 2 }),
    ]) {
      const words = /^The "buffers" argument must be an array of Buffer, TypedArray, or DataView\. Received /
      const what = `${method}(${inspect(buffers)})`
      await refuses(t, what, () => call(ring, method, fd, buffers), 'ERR_INVALID_ARG_TYPE', words)
    }
    for (const count of [0, 1025]) {
      const buffers = Array.from({ length: count }, () => Buffer.alloc(1))
      const words = /^The value of "buffers\.length" is out of range\. It must be >= 1 and <= 1024/
      await refuses(
        t,
        `${method} of ${count}`,
        () => call(ring, method, fd, buffers),
        'ERR_OUT_OF_RANGE',
        words,
      )
    }
    // The same gibibyte twice is more than Linux moves at once.
    const large = new Uint8Array(2 ** 30)
    const words = /^The value of "buffers" is out of range\. It must be at most 2147479552 bytes/
    await refuses(
      t,
      `${method} of 2 GiB`,
      () => call(ring, method, fd, [large, large]),
      'ERR_OUT_OF_RANGE',
      words,
    )
    const gone = detached((buffer) => new DataView(buffer))
    const detachedWords = /^The argument 'buffers\[1\]' is detached\. Received an instance of DataView$/
    const code = 'ERR_INVALID_ARG_VALUE'
    await refuses(t, `${method} detached`, () => call(ring, method, fd, [large, gone]), code, detachedWords)
  }
  t.is(ring.stats().submitted, 0)
  const parts = [Buffer.alloc(0), Buffer.alloc(3), new DataView(new ArrayBuffer(0)), new Uint16Array(2)]
  t.like(await ring.readv(fd, parts, 0), { bytesRead: 7 })
  t.is(
    Buffer.concat([parts[1] as Buffer, Buffer.from((parts[3] as Uint16Array).buffer)]).toString(),
    'content',
  )
  t.like(await ring.writev(fd, [Buffer.alloc(0)], 0), { bytesWritten: 0 })
})

test('eventfd and pipe', (t) => {
  const type = 'ERR_INVALID_ARG_TYPE'
  for (const initial of ['1', 1n, null, {}]) {
    throws(
      t,
      inspect(initial),
      () => eventfd(initial as number),
      type,
      /^The "initial" argument must be a number/,
    )
  }
  for (const initial of [-1, 0.5, 2 ** 32, NaN]) {
    throws(
      t,
      inspect(initial),
      () => eventfd(initial),
      'ERR_OUT_OF_RANGE',
      /^The value of "initial" is out of range/,
    )
  }
  for (const options of [null, 1, 'text', [], true]) {
    const words = /^The "options" argument must be an object\. Received /
    throws(t, `eventfd ${inspect(options)}`, () => eventfd(0, options as object), type, words)
    throws(t, `pipe ${inspect(options)}`, () => pipe(options as object), type, words)
  }
  for (const value of [1, 'yes', null]) {
    const semaphore = { semaphore: value as unknown as boolean }
    const nonblocking = { nonblocking: value as unknown as boolean }
    throws(
      t,
      'semaphore',
      () => eventfd(0, semaphore),
      type,
      /^The "options\.semaphore" property must be a boolean/,
    )
    throws(t, 'nonblocking', () => eventfd(0, nonblocking), type, /^The "options\.nonblocking" property/)
    throws(t, 'nonblocking', () => pipe(nonblocking), type, /^The "options\.nonblocking" property/)
  }
  const fd = eventfd(2 ** 32 - 1, { semaphore: true, nonblocking: true })
  closeAfter(t, fd)
  const bytes = Buffer.alloc(8)
  readSync(fd, bytes)
  t.deepEqual(bytes, eventBytes(1n), 'a semaphore gives one')
})

test('buffer: of no bytes, it moves none, as with FileHandle', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, 'content')
  const handle = await open(`/proc/self/fd/${fd}`, 'r+')
  t.teardown(() => handle.close())
  for (const buffer of [
    Buffer.alloc(0),
    new DataView(new ArrayBuffer(0)),
    new Float64Array(0),
    ring.alloc(0),
  ]) {
    t.like(await handle.read(buffer), { bytesRead: 0, buffer })
    t.like(await ring.read(fd, buffer), { bytesRead: 0, buffer })
    t.like(await ring.write(fd, buffer), { bytesWritten: 0, buffer })
  }
  t.like(await ring.read(fd, Buffer.alloc(4), 4), { bytesRead: 0 })
  t.like(await ring.read(fd, Buffer.alloc(4), 0, 0), { bytesRead: 0 })
  t.like(await ring.write(fd, ''), { bytesWritten: 0, buffer: '' })
  t.is((await ring.read(fd)).buffer.toString('utf8', 0, 7), 'content', 'and leaves the position alone')
})

test('buffer: a detached one is refused', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, 'content')
  const views: Record<string, () => NodeJS.ArrayBufferView> = {
    Uint8Array: () => detached((buffer) => new Uint8Array(buffer)),
    Buffer: () => detached((buffer) => Buffer.from(buffer, 8, 8)),
    Uint16Array: () => detached((buffer) => new Uint16Array(buffer)),
    DataView: () => detached((buffer) => new DataView(buffer)),
  }
  for (const [name, makeView] of Object.entries(views)) {
    for (const method of ['read', 'write']) {
      const words = new RegExp(`^The argument 'buffer' is detached\\. Received an instance of ${name}$`)
      await refuses(
        t,
        `${method} ${name}`,
        () => call(ring, method, fd, makeView()),
        'ERR_INVALID_ARG_VALUE',
        words,
      )
    }
  }
  t.is(ring.stats().submitted, 0)
})

test('buffer: shared, resizable and growable memory work, and every kind of view', async (t) => {
  const ring = ringFor(t)
  const text = '0123456789abcdef'
  const fd = fileFor(t, text)
  const Resizable = ArrayBuffer as unknown as new (n: number, o: { maxByteLength: number }) => ArrayBuffer
  const Growable = SharedArrayBuffer as unknown as new (
    n: number,
    o: { maxByteLength: number },
  ) => SharedArrayBuffer
  const memories = {
    plain: () => new ArrayBuffer(16),
    shared: () => new SharedArrayBuffer(16),
    resizable: () => new Resizable(16, { maxByteLength: 64 }),
    growable: () => new Growable(16, { maxByteLength: 64 }),
  }
  for (const [name, makeMemory] of Object.entries(memories)) {
    for (const View of VIEWS) {
      const what = `${View.name} on ${name} memory`
      const memory = makeMemory()
      const view = new View(memory)
      t.like(await ring.read(fd, view, { position: 0 }), { bytesRead: 16 }, what)
      t.is(Buffer.from(memory as ArrayBuffer).toString(), text, what)
      t.like(await ring.write(fd, view, { position: 0 }), { bytesWritten: 16 }, what)
      t.like(await ring.readv(fd, [view], 0), { bytesRead: 16 }, what)
      t.like(await ring.writev(fd, [view], 0), { bytesWritten: 16 }, what)
      const part = new View(makeMemory(), 8, 1)
      const size = part.byteLength
      t.is((await ring.read(fd, part, { position: 0 })).bytesRead, size, `a part of ${what}`)
      const bytes = Buffer.from(part.buffer as ArrayBuffer)
      t.is(bytes.toString('latin1'), '\0'.repeat(8) + text.slice(0, size) + '\0'.repeat(8 - size), what)
    }
  }
  t.is(readFileSync(`/proc/self/fd/${fd}`, 'utf8'), text)
})

test('text: offset and length of a write count its bytes; an unknown encoding is refused', async (t) => {
  const ring = ringFor(t)
  const fd = fileFor(t, '')
  t.like(await ring.write(fd, 'über alles', { offset: 3, length: 3, position: 0 }), { bytesWritten: 3 })
  t.is(readFileSync(`/proc/self/fd/${fd}`, 'utf8'), 'er ')
  t.is((await ring.write(fd, '00ff', 0, 'hex')).bytesWritten, 2)
  for (const encoding of ['utf-9', 8, true]) {
    const what = `encoding ${inspect(encoding)}`
    const words = /^The argument 'encoding' is not a known encoding\. Received /
    await refuses(t, what, () => call(ring, 'write', fd, 'x', 0, encoding), 'ERR_INVALID_ARG_VALUE', words)
  }
})

test('ring options: every error names the option, what it got and what it may be', (t) => {
  const type = 'ERR_INVALID_ARG_TYPE'
  const range = 'ERR_OUT_OF_RANGE'
  for (const options of [null, 1, 'text', [], true]) {
    throws(t, inspect(options), make(options), type, /^The "options" argument must be an object\. Received /)
  }
  for (const cancel of [null, 1, 'text', [], true]) {
    throws(
      t,
      inspect(cancel),
      make({ cancel }),
      type,
      /^The "options\.cancel" property must be an object\. Received /,
    )
  }
  const numbers: [string, number[], string][] = [
    ['entries', [0, -1, 1.5, 32_769, NaN, Infinity], 'an integer >= 1 and <= 32768'],
    ['completionEntries', [0, 7, 8.5, 65_537, NaN], 'an integer >= 8 and <= 65536'],
    ['queueLimit', [-1, 0.5, 2 ** 23, NaN], 'an integer >= 0 and <= 8388607'],
    ['arenaBytes', [0, 65_535, 65_536.5, 2 ** 47, NaN], 'an integer >= 65536 and <= 70368744177664'],
    ['drainTimeout', [-1, 86_400_001, NaN, Infinity], 'a number >= 0 and <= 86400000'],
    ['cancel.firstDelay', [0, -1, 86_400_001, NaN], 'a number >= 0.01 and <= 86400000'],
    ['cancel.maxDelay', [0, -1, 86_400_001, NaN], 'a number >= 0.01 and <= 86400000'],
    ['cancel.stuckAfter', [0, 0.5, 86_400_001, NaN], 'a number >= 1 and <= 86400000'],
  ]
  for (const [name, values, allowed] of numbers) {
    for (const value of values) {
      const words = `^The value of "options.${name}" is out of range. It must be ${allowed}. Received type number (${value})$`
      throws(t, `${name} ${value}`, make(optionsWith(name, value)), range, new RegExp(literal(words)))
    }
    for (const value of ['8', 8n, true, null, {}, () => 8]) {
      const words = `^The "options.${name}" property must be a number. Received `
      const what = `${name} ${inspect(value)}`
      throws(t, what, make(optionsWith(name, value)), type, new RegExp(literal(words)))
    }
  }
  for (const value of [1, 'true', null]) {
    const words = /^The "options\.cancel\.reissue" property must be a boolean\. Received /
    throws(t, `reissue ${value}`, make({ cancel: { reissue: value } }), type, words)
  }
  const known =
    /^The "options\.entires" property must be one of the known options \(entries, .*cancel\)\. Received type number \(8\)$/
  throws(t, 'an unknown key', make({ entires: 8 }), type, known)
  const knownCancel =
    /^The "options\.cancel\.delay" property must be one of the known options \(cancel\.reissue, .*\)\. Received /
  throws(t, 'an unknown key of cancel', make({ cancel: { delay: 8 } }), type, knownCancel)
  throws(
    t,
    'a dotted key',
    make({ 'cancel.firstDelay': 1 }),
    type,
    /^The "options\.cancel\.firstDelay" property must be one of the known options \(entries, /,
  )
  throws(
    t,
    'fewer completions than entries',
    make({ entries: 64, completionEntries: 32 }),
    range,
    /^The value of "options\.completionEntries" .*completionEntries \(32\) >= entries \(64\)/,
  )
  throws(
    t,
    'maxDelay below firstDelay',
    make({ cancel: { firstDelay: 5, maxDelay: 1 } }),
    range,
    /^The value of "options\.cancel\.maxDelay" .*maxDelay \(1\) >= firstDelay \(5\)/,
  )
})

test('ring options: the least and the most of each work', async (t) => {
  for (const options of [
    { entries: 1, completionEntries: 8, queueLimit: 0, arenaBytes: 65_536, drainTimeout: 0 },
    { entries: undefined, cancel: undefined },
    { entries: 32_768, completionEntries: 65_536, queueLimit: 2 ** 23 - 1, arenaBytes: 2 ** 46 },
    { entries: 32_768 },
    { cancel: { reissue: true, firstDelay: 0.01, maxDelay: 0.01, stuckAfter: 1 } },
    { cancel: { reissue: undefined } },
  ]) {
    const ring = new Ring(options as object)
    const fd = fileFor(t, 'content')
    const { readFd, writeFd } = pipe()
    closeAfter(t, readFd, writeFd)
    t.is((await ring.read(fd)).buffer.toString('utf8', 0, 7), 'content')
    const reading = ring.read(readFd, Buffer.alloc(16))
    t.is((await ring.cancel(reading)).outcome, 'cancelled')
    await ring.destroy()
  }
})

test('cancel: what is no operation of this ring is refused', async (t) => {
  const ring = ringFor(t)
  const other = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const foreign = other.read(readFd)
  const words = /^The "operation" argument must be a promise that a call on this ring returned\. Received /
  const type = 'ERR_INVALID_ARG_TYPE'
  for (const value of [
    undefined,
    null,
    1,
    'text',
    {},
    [],
    () => {},
    Promise.resolve(),
    foreign,
    foreign.catch(() => 1),
  ]) {
    await refuses(t, inspect(value), () => call(ring, 'cancel', value), type, words)
  }
  t.is(other.stats().cancelsRequested, 0, "the other ring's operation is untouched")
  t.is((await other.cancel(foreign)).outcome, 'cancelled')
})

test('cancel: twice, at once and later, and after completion, and of a call that was refused', async (t) => {
  const ring = ringFor(t)
  const { readFd, writeFd } = pipe()
  closeAfter(t, readFd, writeFd)
  const reading = ring.read(readFd)
  const [first, second] = await Promise.all([ring.cancel(reading), ring.cancel(reading)])
  t.is(first.outcome, 'cancelled')
  t.deepEqual(second, first)
  t.deepEqual(await ring.cancel(reading), first)
  t.is(ring.stats().cancelsRequested, 1)

  const nop = ring.nop()
  await nop
  t.deepEqual(await ring.cancel(nop), { outcome: 'completed', attempts: 0 })
  const failing = ring.read(writeFd)
  await t.throwsAsync(failing, { code: 'EBADF' })
  t.deepEqual(await ring.cancel(failing), { outcome: 'failed', attempts: 0 })

  const refused = call(ring, 'read', 'no descriptor')
  t.deepEqual(await ring.cancel(refused), { outcome: 'failed', attempts: 0 })
  await t.throwsAsync(refused, { code: 'ERR_INVALID_ARG_TYPE' })
  const aborted = ring.read(readFd, { signal: AbortSignal.abort() })
  t.deepEqual(await ring.cancel(aborted), { outcome: 'cancelled', attempts: 0 })
  await t.throwsAsync(aborted, { code: 'ABORT_ERR' })
  const resolved = ring.read(readFd, { signal: AbortSignal.abort(), onCancel: 'resolve' })
  t.deepEqual(await ring.cancel(resolved), { outcome: 'cancelled', attempts: 0 })
  t.is(await resolved, CANCELLED)

  await ring.destroy()
  const late = ring.nop()
  t.deepEqual(await ring.cancel(late), { outcome: 'failed', attempts: 0 })
  await t.throwsAsync(late, { code: 'ERR_RING_CLOSED' })
  t.deepEqual(await ring.cancel(reading), first)
})
