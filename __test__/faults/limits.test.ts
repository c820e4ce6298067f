/** Descriptors, locked memory and address space that run out: clear errors at each stage, nothing leaked or lost. */
import { release } from 'node:os'

import test from 'ava'

import { countsLockedMemory, parseRelease } from '../../dist/src/commands/doctor/kernels.js'
import { publicCopies, runProgram, sandbox } from '../fixtures/programs.js'

/** The limit of descriptors: above what Node has open, by enough for every stage. */
const DESCRIPTORS = '80'

const HEAD = `
  import { closeSync, openSync, readdirSync } from 'node:fs'
  import { eventfd, pipe, Ring } from 'uring-safe-cancel'
  const fate = (promise) => promise.then(() => 'done', (error) => error.code + (error.syscall ? ' ' + error.syscall : ''))
  const open = () => readdirSync('/proc/self/fd').length
  const taken = []
  /** Takes all descriptors but so many. */
  const leave = (free) => {
    try { for (;;) taken.push(openSync('/dev/null')) } catch {}
    for (let count = 0; count < free; count += 1) closeSync(taken.pop())
  }
  const giveBack = () => { while (taken.length > 0) closeSync(taken.pop()) }
`

test('RLIMIT_NOFILE: a ring with any number of descriptors left is whole, or none, and leaves none', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const code = `
    import { setImmediate as turn } from 'node:timers/promises'
    const words = []
    // The second time with what the first rings have left for later ones.
    for (let time = 0; time < 2; time += 1) {
      for (let free = 0; free < 6; free += 1) {
        const before = open()
        leave(free)
        let word
        try {
          const ring = new Ring()
          word = await fate(ring.nop())
          word += ', ' + (await ring.cancel(ring.sleep(1000))).outcome
          await ring.destroy()
        } catch (error) { word = [error.code, error.errno ?? error.message, error.remedy].join() }
        giveBack()
        await turn()
        // The waker thread, once there is one, keeps its own.
        const leaked = word === 'done, cancelled' && time === 0 ? 0 : open() - before
        words.push(free + ' left: ' + word + (leaked === 0 ? '' : ', and ' + leaked + ' leaked'))
      }
    }
    console.log(JSON.stringify(words))`
  for (const waker of ['', 'thread']) {
    const { output, errors } = await runProgram(HEAD + code, {
      launcher: [await sandbox(), '--nofile', DESCRIPTORS, '--'],
      env: { URING_SAFE_CANCEL_WAKER: waker },
    })
    const words = JSON.parse(output || JSON.stringify([errors])) as string[]
    // The addon itself takes one, and is there when there is one.
    t.regex(
      words[0] ?? '',
      /^0 left: ERR_IO_URING_UNAVAILABLE,.*the native addon for \S+ cannot be loaded: .* no descriptor left; close desc.*,close desc.*$/,
    )
    const refused = '(ERR_IO_URING_UNAVAILABLE,-24,close descriptors, or raise their limit \\(ulimit -n\\))'
    const outcome = new RegExp(`^\\d left: (${refused}|done, cancelled)$`)
    for (const word of words.slice(1)) t.regex(word, outcome)
    t.regex(words[5] ?? '', /done, cancelled$/)
  }
})

test('RLIMIT_NOFILE: with no descriptor left what is in flight is cancelled all the same, and what needs one says so', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const code = `
    import { setImmediate as turn } from 'node:timers/promises'
    const ring = new Ring({ entries: 16, completionEntries: 32 })
    const [event, zero] = [eventfd(), openSync('/dev/zero')]
    const { readFd, writeFd } = pipe()
    await ring.nop()
    const before = open()
    const counts = {}
    const count = (word) => (counts[word] = (counts[word] ?? 0) + 1)
    for (let round = 0; round < 50; round += 1) {
      const hung = Array.from({ length: 20 }, (_, index) => fate(ring.read(index % 2 === 0 ? event : readFd, { length: 8, async: index % 3 === 0 })))
      await ring.nop()
      leave(round % 5)
      // They are more than the ring has room for, or are async: each would hold a duplicate of its descriptor.
      const more = Array.from({ length: 40 }, (_, index) => {
        const fd = [event, zero, readFd][index % 3]
        return index % 4 === 3 ? fate(ring.open('/dev/null').then((fd) => closeSync(fd))) : fate(ring.read(fd, { length: 8, async: index % 2 === 0 }))
      })
      if (round % 2 === 0) await turn()
      const all = Promise.all([...hung, ...more])
      await Promise.all([ring.cancelFd(event), ring.cancelFd(readFd), ring.cancelAll()])
      for (const word of await all) count(word)
      giveBack()
    }
    const { submitted, completed, inFlight, queued, arenaHeld } = ring.stats()
    if (submitted !== completed || inFlight + queued > 0) count('not settled')
    if (open() !== before) count('leaked ' + (open() - before))
    await ring.destroy()
    const again = new Ring()
    count('then ' + await fate(again.read(zero, { length: 8, async: true })))
    await again.destroy()
    console.log(JSON.stringify(counts))`
  const { status, output, errors } = await runProgram(HEAD + code, {
    launcher: [await sandbox(), '--nofile', DESCRIPTORS, '--'],
  })
  t.is(status, 0, errors)
  const counts = JSON.parse(output) as Record<string, number>
  t.log(output.trim())
  const { ABORT_ERR: aborted = 0, 'EMFILE read': noDuplicate = 0, 'EMFILE open': noDescriptor = 0 } = counts
  t.true(aborted >= 1000 && noDuplicate > 0, output)
  t.is(counts['then done'], 1)
  const known = aborted + noDuplicate + noDescriptor + (counts['done'] ?? 0)
  t.is(known, 60 * 50, 'each of them settled in one of these ways')
  t.is(Object.keys(counts).filter((word) => /leaked|not settled/.test(word)).length, 0, output)
})

test('RLIMIT_MEMLOCK without privileges, from nothing to plenty: a ring works, or the error says what to do', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const { home, launcher, node, remove } = await publicCopies()
  t.teardown(remove)
  // A user of this run's own: what others of the same user lock would count.
  const user = process.getuid?.() === 0 ? ['--uid', String(60_000 + (process.pid % 5000))] : []
  const code = `
    const rings = []
    let word
    try { while (rings.length < 40) rings.push(new Ring()) } catch (error) { word = error.code + ' ' + error.errno + ' ' + /ulimit -l/.test(error.remedy) }
    const event = eventfd()
    const outcomes = new Set()
    for (const ring of rings) {
      const reads = Array.from({ length: 200 }, () => ring.read(event, { length: 8 }))
      await ring.nop({ timeout: 1 }).catch(() => {})
      for (const { outcome } of await Promise.all(reads.map((read) => ring.cancel(read)))) outcomes.add(outcome)
    }
    await Promise.all(rings.map((ring) => ring.destroy()))
    // What they held is to be had again, when the kernel has let go of it.
    let next = 'none'
    for (const end = performance.now() + 20_000; rings.length > 0 && next !== 'a ring' && performance.now() < end; ) {
      try {
        const again = new Ring()
        next = 'a ring'
        await again.destroy()
      } catch (error) { next = error.code; await new Promise((resolve) => setTimeout(resolve, 5)) }
    }
    console.log(JSON.stringify({ rings: rings.length, word, outcomes: [...outcomes], next }))`
  const made: number[] = []
  for (const bytes of [0, 4096, 16_384, 65_536, 262_144, 8 << 20]) {
    const { status, output, errors } = await runProgram(HEAD + code, {
      home,
      node,
      launcher: [launcher, '--memlock', String(bytes), ...user, '--'],
    })
    t.is(status, 0, errors)
    const found = JSON.parse(output) as { rings: number; word?: string; outcomes: string[]; next: string }
    t.log(`${bytes} bytes: ${output.trim()}`)
    made.push(found.rings)
    if (found.word !== undefined) t.is(found.word, 'ERR_IO_URING_UNAVAILABLE -12 true')
    t.deepEqual(found.outcomes, found.rings > 0 ? ['cancelled'] : [])
    t.is(found.next, found.rings > 0 ? 'a ring' : 'none')
  }
  t.deepEqual(
    made,
    made.map((_, index) => Math.max(...made.slice(0, index + 1))),
    'more locked memory is never fewer rings',
  )
  t.true((made.at(-1) ?? 0) > 1)
})

test('RLIMIT_MEMLOCK: a ring that finds no room beside those of its process is refused at once, though one was closed just before', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const { home, launcher, node, remove } = await publicCopies()
  t.teardown(remove)
  const user = process.getuid?.() === 0 ? ['--uid', String(55_000 + (process.pid % 5000))] : []
  const code = `
    const rings = []
    const fill = () => {
      for (;;) {
        const begun = performance.now()
        try { rings.push(new Ring()) } catch (error) { return { code: error.code, milliseconds: performance.now() - begun } }
      }
    }
    const first = fill()
    await rings.pop().close()
    console.log(JSON.stringify({ first, second: fill(), rings: rings.length }))`
  const setting = { home, node, launcher: [launcher, '--memlock', '65536', ...user, '--'] }
  const version = parseRelease(release())
  if (version !== undefined && !countsLockedMemory(version)) {
    t.log('this kernel does not count rings against the limit')
    t.pass()
    return
  }
  const { status, output, errors } = await runProgram(HEAD + code, setting)
  t.is(status, 0, errors)
  t.log(output.trim())
  const { second } = JSON.parse(output) as { second: { code: string; milliseconds: number } }
  t.is(second.code, 'ERR_IO_URING_UNAVAILABLE')
  // Where another user's may be in the way it would be waited for ten seconds from the close on.
  t.true(second.milliseconds < 5000, output)
})

test('RLIMIT_MEMLOCK: stress does not judge a run whose threads get no rings, and says why', async (t) => {
  t.timeout(120_000, 'the launcher is built')
  const { home, launcher, node, remove } = await publicCopies()
  t.teardown(remove)
  const user = process.getuid?.() === 0 ? ['--uid', String(50_000 + (process.pid % 5000))] : []
  // Nine rings, none of which takes less than two pages.
  const code = `
    import { spawnSync } from 'node:child_process'
    const args = ['stress', '--threads', '8', '--rounds', '10', '--mode', 'safe', '--async']
    const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/src/commands/cli.js', ...args], { encoding: 'utf8' })
    console.log(JSON.stringify([status, stdout, stderr]))`
  const setting = { home, node, launcher: [launcher, '--memlock', '65536', ...user, '--'] }
  const ended = await runProgram(code, setting)
  const [status, output, errors] = JSON.parse(ended.output) as [number | null, string, string]
  const version = parseRelease(release())
  if (version !== undefined && !countsLockedMemory(version)) {
    t.log('this kernel does not count rings against the limit')
    t.is(status, 0, errors)
    t.regex(output, /^ {2}conservation +held$/m)
    return
  }
  t.is(status, 1, errors)
  t.regex(output, /^ {2}conservation +not judged$/m)
  t.regex(errors, /^NOT JUDGED: as chosen, mode safe: .*\(ENOMEM\); raise the limit of locked memory/)
  t.notRegex(errors, /FAILED|\n +at /)
})

test('RLIMIT_AS: without address space an operation says ENOMEM, those in flight can be cancelled, and later there is some', async (t) => {
  const code = `
    import { spawnSync } from 'node:child_process'
    import { readFileSync } from 'node:fs'
    const ring = new Ring()
    const event = eventfd()
    const file = openSync("/dev/zero")
    const large = 256 << 20
    const own = Buffer.alloc(large)
    const hung = Array.from({ length: 100 }, (_, index) => fate(ring.read(event, { length: 8, async: index % 2 === 0 })))
    await ring.nop()
    const limit = (bytes) => spawnSync('prlimit', ['--pid', String(process.pid), '--as=' + bytes + ':']).status
    const size = Number(/VmSize:\\s+(\\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) * 1024
    const words = { limited: limit(size + (32 << 20)) }
    try { ring.alloc(large); words.alloc = 'made' } catch (error) { words.alloc = error.code + ' ' + error.syscall }
    words.read = await fate(ring.read(file, own, { position: 0 }))
    words.readv = await fate(ring.readv(file, [own], 0))
    words.write = await fate(ring.write(event, own))
    words.small = await fate(ring.read(file, { length: 100, position: 0 }))
    await ring.cancelFd(event)
    words.hung = [...new Set(await Promise.all(hung))].join()
    words.back = limit('unlimited')
    words.later = await fate(ring.read(file, Buffer.alloc(1 << 20), { position: 0 }))
    words.held = ring.stats().arenaHeld
    await ring.destroy()
    console.log(JSON.stringify(words))`
  const { status, output, errors } = await runProgram(HEAD + code)
  t.is(status, 0, errors)
  t.like(JSON.parse(output), {
    limited: 0,
    alloc: 'ENOMEM mmap',
    read: 'ENOMEM read',
    readv: 'ENOMEM readv',
    write: 'ENOMEM write',
    small: 'done',
    hung: 'ABORT_ERR',
    back: 0,
    later: 'done',
  })
})
