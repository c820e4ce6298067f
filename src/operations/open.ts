/** Opening files: paths, flags and modes as node:fs takes them. */
import { constants } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { checkInteger } from '../arguments/checks.js'
import { checkOptions, type OperationOptions, type Settles } from '../arguments/options.js'
import { noteOpened } from '../descriptors/owners.js'
import { engineOf } from '../engine/engine-of.js'
import { Kind } from '../engine/kind.js'
import { NO_DESCRIPTOR, type Operation } from '../engine/operation.js'
import { settleWith } from '../engine/verdicts.js'
import { invalidType, invalidValue } from '../errors.js'
import { Code } from '../native/protocol.js'
import { submit } from '../native/rare-calls.js'

const { O_APPEND, O_CREAT, O_EXCL, O_RDONLY, O_RDWR, O_SYNC, O_TRUNC, O_WRONLY } = constants

const WORDS: [string, number][] = [
  ['r', O_RDONLY],
  ['rs', O_RDONLY | O_SYNC],
  ['r+', O_RDWR],
  ['rs+', O_RDWR | O_SYNC],
  ['w', O_TRUNC | O_CREAT | O_WRONLY],
  ['wx', O_TRUNC | O_CREAT | O_WRONLY | O_EXCL],
  ['w+', O_TRUNC | O_CREAT | O_RDWR],
  ['wx+', O_TRUNC | O_CREAT | O_RDWR | O_EXCL],
  ['a', O_APPEND | O_CREAT | O_WRONLY],
  ['ax', O_APPEND | O_CREAT | O_WRONLY | O_EXCL],
  ['as', O_APPEND | O_CREAT | O_WRONLY | O_SYNC],
  ['a+', O_APPEND | O_CREAT | O_RDWR],
  ['ax+', O_APPEND | O_CREAT | O_RDWR | O_EXCL],
  ['as+', O_APPEND | O_CREAT | O_RDWR | O_SYNC],
]
/** node:fs also takes the two letters the other way round: `'sr+'`. */
const FLAGS = new Map([
  ...WORDS,
  ...WORDS.map(([word, bits]): [string, number] => [word.replace(/^(.)([sx])/, '$2$1'), bits]),
])

/**
 * Flags as node:fs has them: a word such as `'r+'`, or a number such as `O_RDONLY | O_NONBLOCK`.
 *
 * @example
 * ```ts
 * const fd = await ring.open('/dev/ttyS0', constants.O_RDWR | constants.O_NOCTTY)
 * ```
 */
export type OpenFlags = string | number

const DEFAULT_MODE = 0o666

function openFlags(flags: unknown): number {
  if (flags === undefined || flags === null) return O_RDONLY
  if (typeof flags === 'string') {
    const bits = FLAGS.get(flags)
    if (bits === undefined) {
      const words = WORDS.map(([word]) => word).join(', ')
      throw invalidValue('flags', `must be one of ${words}, or a number`, flags)
    }
    return bits
  }
  checkInteger('flags', flags, 0, 0x7fff_ffff)
  return flags
}

function modeOf(mode: unknown): number {
  if (mode === undefined || mode === null) return DEFAULT_MODE
  checkInteger('mode', mode, 0, 0o7777)
  return mode
}

/** A path as errors show it, and as the kernel wants it: bytes that end in NUL. */
function pathOf(path: unknown): { text: string; bytes: Uint8Array } {
  if (!(typeof path === 'string' || path instanceof Uint8Array || path instanceof URL)) {
    throw invalidType('path', 'of type string or an instance of Buffer or URL', path)
  }
  const plain = path instanceof URL ? fileURLToPath(path) : path
  const bytes = Buffer.from(plain)
  if (bytes.includes(0))
    throw invalidValue('path', 'must be a string, Uint8Array, or URL without null bytes', path)
  return {
    text: typeof plain === 'string' ? plain : bytes.toString(),
    bytes: Buffer.concat([bytes, Buffer.of(0)]),
  }
}

const OPEN = new Kind<Operation>(
  'open',
  (operation, fd, _status, attempts) => settleWith(operation, noteOpened(fd), attempts),
  { hasPath: true },
)

export abstract class OpenOperation {
  /**
   * Opens a path, close-on-exec, and resolves to the descriptor's number, which is yours to close. `flags` as in
   * node:fs (default `'r'`), `mode` as the permission bits of a new file (default 0o666). It waits where open(2) does: a FIFO for its peer.
   *
   * Cancelled, it leaves no descriptor behind: either you get it, or it is closed. A file that O_CREAT made stays.
   *
   * @throws (as a rejection) the errors of every operation ({@link Ring}); ENOENT, EACCES, EMFILE, ... of open(2), with `path`.
   * @example
   * ```ts
   * const fd = await ring.open('/run/some.fifo', 'r', undefined, { timeout: 5000 })
   * ```
   */
  open<O extends OperationOptions>(
    path: string | Buffer | URL,
    flags?: OpenFlags,
    mode?: number,
    options?: O,
  ): Promise<Settles<number, O>>
  open(path: unknown, flags?: unknown, mode?: unknown, options?: unknown): Promise<unknown> {
    const engine = engineOf(this)
    try {
      const checked = checkOptions(options)
      const early = engine.refuseEarly(checked)
      if (early !== undefined) return early
      // Before the path is read, which may run code of the program's that cancels what it has called.
      const operation = engine.begin(OPEN, NO_DESCRIPTOR, undefined, checked)
      let answer: number
      try {
        const { text, bytes } = pathOf(path)
        const numbers = { first: openFlags(flags), second: modeOf(mode) }
        operation.subject = text
        answer = submit(engine.native, operation, Code.OPEN, numbers, bytes)
      } catch (error) {
        return engine.withdraw(operation, error)
      }
      if (answer >= 0 && operation.cancellation === undefined) return operation.promise
      return engine.answered(operation, answer)
    } catch (error) {
      return engine.refuse(error)
    }
  }
}
