/** The examples: each runs, and does what it says. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'

import test, { type ExecutionContext } from 'ava'

import { HOME } from './fixtures/programs.js'
import { directoryFor, PATIENCE_MILLISECONDS, until } from './helpers.js'

const ARGUMENTS = ['--import=./scripts/register.mjs']

/** An example while it runs, with what it has printed. */
class Running {
  output = ''
  errors = ''
  readonly child: ChildProcessWithoutNullStreams
  readonly #ended: Promise<unknown>

  constructor(t: ExecutionContext, command: string, args: string[], env: NodeJS.ProcessEnv = {}) {
    // One that hangs must not outlive Ava's own timeout.
    const timeout = 1.5 * PATIENCE_MILLISECONDS
    this.child = spawn(command, args, {
      cwd: HOME,
      env: { ...process.env, ...env },
      timeout,
      killSignal: 'SIGKILL',
    })
    this.child.stdout.on('data', (chunk: Buffer) => (this.output += String(chunk)))
    this.child.stderr.on('data', (chunk: Buffer) => (this.errors += String(chunk)))
    this.#ended = once(this.child, 'close')
    t.teardown(() => this.child.kill('SIGKILL'))
    t.timeout(2 * PATIENCE_MILLISECONDS)
  }

  /** Waits until it has printed something. */
  async printed(text: string): Promise<void> {
    const has = () => this.output.includes(text) || this.errors.includes(text)
    await until(() => has() || this.child.exitCode !== null, `it prints '${text}'`)
    if (!has()) throw new Error(`it ended without '${text}': ${this.output}${this.errors}`)
  }

  /** Its exit status, once it has ended. */
  async status(): Promise<number | null> {
    await this.#ended
    return this.child.exitCode
  }
}

function example(t: ExecutionContext, name: string, ...args: string[]): Running {
  return new Running(t, process.execPath, [...ARGUMENTS, `examples/${name}.ts`, ...args])
}

function exampleWith(t: ExecutionContext, name: string, env: NodeJS.ProcessEnv): Running {
  return new Running(t, process.execPath, [...ARGUMENTS, `examples/${name}.ts`], env)
}

/** On a pseudo-terminal of script(1), whose other side are the process's own streams. */
function onTerminal(t: ExecutionContext, name: string, ...args: string[]): Running {
  const command = [process.execPath, ...ARGUMENTS, `examples/${name}.ts`, ...args]
  const line = command.map((word) => `'${word}'`).join(' ')
  return new Running(t, 'script', ['--quiet', '--return', '--command', line, '/dev/null'])
}

function fifoFor(t: ExecutionContext): string {
  const path = join(directoryFor(t), 'fifo')
  execFileSync('mkfifo', [path])
  return path
}

test('each example has a test here', (t) => {
  const text = readFileSync(new URL(import.meta.url), 'utf8')
  const names = readdirSync(join(HOME, 'examples')).map((file) => file.replace(/\.ts$/, ''))
  t.true(names.length >= 6)
  for (const name of names) t.regex(text, new RegExp(`\\(t, '${name}'`), name)
})

const STOPPED = /^ring\.read: AbortError: .+, after \d+ ms\nFileHandle\.read: still blocked after 1000 ms\n$/

test('fifo-abort: the ring stops the read, node:fs does not', async (t) => {
  const directory = directoryFor(t)
  const running = exampleWith(t, 'fifo-abort', { TMPDIR: directory })
  t.is(await running.status(), 0, running.errors)
  t.regex(running.output, STOPPED)
  t.deepEqual(readdirSync(directory), [])
})

test("the README's program prints the same, and leaves nothing behind either", async (t) => {
  const directory = directoryFor(t)
  const blocks = [...readFileSync(join(HOME, 'README.md'), 'utf8').matchAll(/^```js\n([^]*?)^```$/gm)]
  const code = blocks.map(([, block = '']) => block).find((block) => block.includes('mkfifo')) ?? ''
  t.true(code.includes('tmpdir()'), 'elsewhere, what it leaves would not be seen')
  const args = ['--input-type=module', '--eval', code]
  const running = new Running(t, process.execPath, args, { TMPDIR: directory })
  t.is(await running.status(), 0, running.errors)
  t.regex(running.output, STOPPED)
  t.deepEqual(readdirSync(directory), [])
})

test('tty-timeout: an answer on a terminal, and none', async (t) => {
  const answered = onTerminal(t, 'tty-timeout', '/dev/tty', '100000')
  await answered.printed('Your name? ')
  answered.child.stdin.write('Ada\n')
  t.is(await answered.status(), 0, answered.output)
  t.regex(answered.output, /Hello, Ada!/)

  const silent = onTerminal(t, 'tty-timeout', '/dev/tty', '300')
  t.is(await silent.status(), 1, silent.output)
  t.regex(silent.output, /^Your name\? \s+Too late\.\s+$/)
})

test('input-events: decodes what a device gives, and Ctrl-C stops the read', async (t) => {
  const path = fifoFor(t)
  const device = await open(path, 'r+')
  t.teardown(() => device.close())
  const events = Buffer.alloc(48)
  // KEY_A goes down, and what belongs together ends.
  events.writeBigInt64LE(1_700_000_000n, 0)
  events.writeBigInt64LE(250_000n, 8)
  events.writeUInt16LE(1, 16)
  events.writeUInt16LE(30, 18)
  events.writeInt32LE(1, 20)
  events.writeBigInt64LE(1_700_000_000n, 24)
  await device.write(events)

  const running = example(t, 'input-events', path)
  await running.printed('SYN')
  running.child.kill('SIGINT')
  t.is(await running.status(), 0, running.errors)
  t.is(
    running.output,
    '1700000000.250000 KEY code 30 value 1\n1700000000.000000 SYN code 0 value 0\n2 events\n',
  )
})

test('copy-progress: the copy is the same, and the bar arrives', async (t) => {
  const directory = directoryFor(t)
  // The last piece is a part of one; an empty file has none.
  for (const bytes of [5 * 2 ** 20 + 12_345, 0]) {
    const [from, to] = [join(directory, `from-${bytes}`), join(directory, `to-${bytes}`)]
    const content = randomBytes(bytes)
    writeFileSync(from, content)
    const running = example(t, 'copy-progress', from, to)
    t.is(await running.status(), 0, running.errors)
    t.true(content.equals(readFileSync(to)))
    t.regex(running.errors, /\r\[#{40}\] 100 %\n$/)
    // It overwrites nothing.
    const again = example(t, 'copy-progress', from, to)
    t.is(await again.status(), 1)
    t.regex(again.errors, /EEXIST/)
    t.true(content.equals(readFileSync(to)))
  }
})

test('copy-progress: a file that says that it has no bytes, and has some', async (t) => {
  const to = join(directoryFor(t), 'to')
  const running = example(t, 'copy-progress', '/proc/version', to)
  t.is(await running.status(), 0, running.errors)
  t.is(readFileSync(to, 'utf8'), readFileSync('/proc/version', 'utf8'))
})

for (const [signal, expected] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`copy-progress: ${signal} leaves no half of a file`, async (t) => {
    const directory = directoryFor(t)
    const from = join(directory, 'from')
    let tries = 0
    // A fast machine may be done before the signal: the next file is larger.
    for (let bytes = 64 * 2 ** 20; ; bytes *= 2) {
      const to = join(directory, `to-${bytes}`)
      const handle = await open(from, 'w')
      await handle.truncate(bytes)
      await handle.close()
      const running = example(t, 'copy-progress', from, to)
      await running.printed('%')
      running.child.kill(signal)
      const status = await running.status()
      tries += 1
      if (status === 0 && bytes < 2 ** 30) continue
      t.is(status, expected, running.errors)
      t.regex(running.errors, /stopped\n$/)
      t.false(existsSync(to))
      break
    }
    t.log(`${tries} tries`)
  })
}

test('worker-rings: the sums are right, in the order of the files', async (t) => {
  const directory = directoryFor(t)
  const contents = [0, 1, 4096, 3_000_000, 17].map((bytes) => randomBytes(bytes))
  const paths = contents.map((content, index) => {
    const path = join(directory, `file-${index}`)
    writeFileSync(path, content)
    return path
  })
  const running = example(t, 'worker-rings', ...paths)
  t.is(await running.status(), 0, running.errors)
  const lines = contents.map((content, index) => {
    const sum = createHash('sha256').update(content).digest('hex')
    return `${sum}  ${paths[index]}\n`
  })
  t.is(running.output, lines.join(''))
})

test('worker-rings: without files it says what it takes', async (t) => {
  const running = example(t, 'worker-rings')
  t.is(await running.status(), 64)
  t.deepEqual([running.output, running.errors], ['', 'Usage: worker-rings.ts FILE...\n'])
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`graceful-shutdown: ${signal} ends it, and what was begun is finished`, async (t) => {
    const path = fifoFor(t)
    const running = example(t, 'graceful-shutdown', path)
    await running.printed('ready')
    const writer = await open(path, 'r+')
    await writer.write('one\ntwo\n')
    await running.printed('handled: two')
    running.child.kill(signal)
    t.is(await running.status(), 0, running.errors)
    await writer.close()
    t.is(
      running.output,
      `ready\nhandled: one\nhandled: two\n${signal}: shutting down\nhandled 2 lines; 0 operations left\n`,
    )
    t.is(running.errors, '')
  })
}

test('graceful-shutdown: characters and lines that reads cut in two', async (t) => {
  const path = fifoFor(t)
  const running = example(t, 'graceful-shutdown', path)
  await running.printed('ready')
  const writer = await open(path, 'r+')
  const [first, second] = [Buffer.from('one\ncaf\u00E9'), Buffer.from('\u00E9\nlast')]
  await writer.write(first.subarray(0, -1))
  await running.printed('handled: one')
  await writer.write(second.subarray(1))
  await running.printed('handled: caf')
  running.child.kill('SIGTERM')
  t.is(await running.status(), 0, running.errors)
  await writer.close()
  t.is(
    running.output,
    'ready\nhandled: one\nhandled: caf\u00E9\nSIGTERM: shutting down\nhandled: last\nhandled 3 lines; 0 operations left\n',
  )
})
