/** The process of the ring: one operation at a time on a descriptor that was handed over, watched by the event loop and a thread. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { constants as osConstants } from 'node:os'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'

import type { Ring } from 'uring-safe-cancel'

import { describe } from './data.js'
import { eachLine } from './lines.js'
import { nth, together } from './many.js'
import type { CancelWay, Finished, Look, Request, Settled } from './messages.js'
import { NODE_FS } from './node-fs.js'
import type { OperationName } from './operations.js'
import { type Face, prepareStart, type Started } from './start.js'

interface Addon {
  listen: (name: string) => void
  receive: () => number
  close: (fd: number) => void
  blockSignal: (signal: number) => void
  forgetSignal: (signal: number) => void
  ignoreSignal: (signal: number) => void
  limitFileSize: (bytes?: number) => void
  watch: () => void
  endWatch: () => number
}

/** How often the event loop should come round. */
const TICK_MILLISECONDS = 2

const [, , addonPath = '', home = '', channelWord = '3'] = process.argv

const addon = loadAddon()
const library = (await import(pathToFileURL(join(home, 'dist/index.js')).href)) as {
  Ring: new (options?: object) => Ring
}
// The descriptors of what is to be written and read are given by number, and Node must not open one of its own there.
const channel = new Socket({ fd: Number(channelWord) })
addon.listen(`kinds-${process.pid}`)

function loadAddon(): Addon {
  const module = { exports: {} }
  process.dlopen(module, createRequire(import.meta.url).resolve(addonPath), osConstants.dlopen.RTLD_NOW)
  return module.exports as Addon
}

let lastTick = performance.now()
let lastWaited = waitedForProcessor()
let gap = 0

/** How long this thread was ready to run and had no processor, in milliseconds: others had it, and nothing held the loop. */
function waitedForProcessor(): number {
  return Number(taskFile(String(process.pid), 'schedstat').split(' ')[1] ?? 0) / 1e6
}

function tick(): void {
  const [now, waited] = [performance.now(), waitedForProcessor()]
  gap = Math.max(gap, now - lastTick - TICK_MILLISECONDS - (waited - lastWaited))
  lastTick = now
  lastWaited = waited
}
let ticking: NodeJS.Timeout | undefined

interface Cell {
  ring: Ring
  fd: number
  /** What does its operations: its ring, or node:fs. */
  face: Face
  operations: Promise<unknown>[]
  pending: number
  abort: AbortController
  isClosed: boolean
  /** What was opened: to close it may take its time, which is not the ring's. */
  opened: number[]
  /** Of workers and closers, before. */
  turns: [number, number]
}

let cell: Cell | undefined

function current(): Cell {
  if (cell === undefined) throw new Error('nothing was prepared')
  return cell
}

function countOf(value: unknown): number {
  if (typeof value === 'number') return value
  if (typeof value !== 'object' || value === null) return 0
  return Number(Reflect.get(value, 'bytesRead') ?? Reflect.get(value, 'bytesWritten') ?? 0)
}

/** As the system call's errno, or in one word what the library says. */
function errorName(error: unknown): string {
  const { code } = error as { code?: string }
  if (code === 'ABORT_ERR' || code === 'TIMEOUT_ERR') return 'cancelled'
  return code ?? String(error)
}

async function settle(name: OperationName, its: Cell, { operation, buffers }: Started): Promise<Settled> {
  const end = () => {
    its.pending -= 1
    if (its.pending === 0) finishGap()
  }
  try {
    const value = await operation
    const at = Date.now()
    end()
    if (name === 'open') {
      its.opened.push(Number(value))
      return { result: '0', data: '-', at }
    }
    const count = countOf(value)
    const data = name.startsWith('read') ? describe(Buffer.concat(buffers).subarray(0, count)) : '-'
    return { result: String(count), data, at }
  } catch (error) {
    end()
    return { result: errorName(error), data: '-', at: Date.now() }
  }
}

/** What comes after is the comparison's own work. */
let finalGap = 0
let isWatching = false

function finishGap(): void {
  if (!isWatching) return
  tick()
  finalGap = Math.max(finalGap, gap)
  isWatching = false
  clearInterval(ticking)
}

function watchGap(): void {
  clearInterval(ticking)
  ticking = setInterval(tick, TICK_MILLISECONDS)
  lastTick = performance.now()
  lastWaited = waitedForProcessor()
  gap = 0
  isWatching = true
}

function cancel(way: CancelWay): void {
  const { ring, fd, operations, abort } = current()
  switch (way) {
    case 'cancel':
      for (const operation of operations) void ring.cancel(operation)
      return
    case 'signal':
      abort.abort()
      return
    case 'closeFd':
      current().isClosed = true
      ring.closeFd(fd).catch(() => {})
      return
    case 'destroy':
      void ring.destroy()
      return
    case 'timeout':
  }
}

/** As the kernel calls its workers for this process's rings, and the library its threads that close. */
const [WORKER, CLOSER] = ['iou-wrk', 'close']

/** Ids of the threads of such a name. */
function threads(name: string): string[] {
  return readdirSync('/proc/self/task').filter((id) => taskFile(id, 'comm').startsWith(name))
}

function taskFile(id: string, name: string): string {
  try {
    return readFileSync(`/proc/self/task/${id}/${name}`, 'utf8')
  } catch {
    // It has just ended, or who runs this may not see it.
    return ''
  }
}

/** How often such threads were given a processor: one that is idle is not. */
function turnsOf(name: string): number {
  return threads(name).reduce((sum, id) => sum + Number(taskFile(id, 'schedstat').split(' ')[2] ?? 0), 0)
}

function armedPolls(): number[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) !== 'anon_inode:[io_uring]') return []
      const info = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')
      return [...info.matchAll(/^\s+op=(\d+), task_works=/gm)].map(([, op]) => Number(op))
    } catch {
      return []
    }
  })
}

function look(): Look {
  const busy = threads(WORKER).filter((id) => taskFile(id, 'stack').includes('io_wq_submit_work'))
  return { inFlight: current().pending, armed: armedPolls(), workers: busy.length }
}

/** process.stdin, as who has read a line from it leaves it. */
async function useStdin(): Promise<void> {
  process.stdin.resume()
  await nextTurn()
  process.stdin.pause()
  await nextTurn()
}

async function prepare(request: Request & { do: 'prepare' }): Promise<{ fd: number }> {
  if (request.blockSignal !== undefined) {
    addon.blockSignal(request.blockSignal)
    addon.forgetSignal(request.blockSignal)
  }
  for (const signal of request.ignores ?? []) addon.ignoreSignal(signal)
  if (request.besideStdin === true) await useStdin()
  const fd = request.inherited ?? addon.receive()
  addon.limitFileSize(request.fileSize)
  const ring = new library.Ring({ drainTimeout: request.drainTimeout })
  // Before its first operation a ring is not what it is later: its timer, its memory.
  await ring.nop()
  cell = {
    ring,
    fd,
    face: request.by === 'node:fs' ? NODE_FS : ring,
    operations: [],
    pending: 0,
    abort: new AbortController(),
    isClosed: false,
    opened: [],
    turns: [turnsOf(WORKER), turnsOf(CLOSER)],
  }
  finalGap = 0
  addon.watch()
  return { fd }
}

async function finish(): Promise<Finished> {
  const { ring, fd, isClosed, opened, turns } = current()
  finishGap()
  const held = addon.endWatch()
  const [ran, closed] = [turnsOf(WORKER) - turns[0], turnsOf(CLOSER) - turns[1]]
  await ring.destroy()
  for (const it of opened) addon.close(it)
  if (!isClosed && fd > 2) addon.close(fd)
  addon.limitFileSize()
  cell = undefined
  return { gap: finalGap, held, workers: ran, closers: closed }
}

function begin({ operation: name, subject }: Request & { do: 'begin' }): void {
  const its = current()
  if (name === 'close') its.isClosed = true
  const starts = Array.from({ length: subject.times }, (_, index) =>
    prepareStart(name, its.face, its.ring, its.fd, its.abort.signal, nth(subject, index)),
  )
  watchGap()
  const begun = starts.map((start) => start())
  its.operations = begun.map(({ operation }) => operation)
  its.pending = begun.length
  void tell(Promise.all(begun.map((one) => settle(name, its, one))))
}

async function tell(settling: Promise<Settled[]>): Promise<void> {
  const all = await settling
  say({ settled: all.length === 1 ? all[0] : together(all) })
}

async function handle(request: Request): Promise<unknown> {
  switch (request.do) {
    case 'prepare':
      return prepare(request)
    case 'begin':
      return begin(request)
    case 'cancel':
      return cancel(request.way)
    case 'look':
      return look()
    case 'finish':
      return finish()
    default:
      throw new Error('no request')
  }
}

function say(message: object): void {
  channel.write(`${JSON.stringify(message)}\n`)
}

eachLine(channel, (line) => {
  const { id, ...request } = JSON.parse(line) as Request & { id: number }
  handle(request).then(
    (answer) => say({ id, answer: answer ?? {} }),
    (error: unknown) => say({ id, error: String(error) }),
  )
})
channel.on('close', () => process.exit())
say({ ready: true })
