/** Files of FUSE servers: one that answers, one that takes its time, and one that never does. */
import { constants } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

import type { Calls } from '../calls.js'
import type { Kind, Made, Places } from '../kind.js'
import { AT_FDCWD, pathWord } from '../operations.js'
import { bothWays, O_NONBLOCK, openFile, programWords } from './tools.js'

const WNOHANG = 1
/** So often it is looked whether the server serves: some seconds, after which it never will. */
const [LOOKS, LOOK_MILLISECONDS] = [1000, 5]

/** Long enough for a wait that is looked for every few milliseconds to be seen, on a busy machine, too. */
const SLOW_MILLISECONDS = '120'
/** Longer than any test. */
const NEVER_MILLISECONDS = '3600000'
const EVERYTHING = 'read,write,open,flush,poll'

async function served(
  world: Calls,
  { scratch, programs }: Places,
  options: string[],
  isNonblocking: boolean,
): Promise<Made> {
  const directory = join(scratch, `served-${world.pid}`)
  await world.must('mkdirat', AT_FDCWD, pathWord(directory), 0o700)
  const program = join(programs, 'silent-fuse')
  const { result: server } = await world.ask('spawn', ...programWords(program, ...options, directory))
  const path = join(directory, 'file')
  for (let look = 0; (await world.call('faccessat', AT_FDCWD, pathWord(path), 0)).result !== 0; look += 1) {
    const { result: ended } = await world.call('wait4', server, 0, WNOHANG, 0)
    if (ended !== 0 || look === LOOKS) throw new Error('there is no FUSE, or not for this user')
    await delay(LOOK_MILLISECONDS)
  }
  const fd = await openFile(world, path, constants.O_RDWR | (isNonblocking ? O_NONBLOCK : 0))
  return { reader: fd, writer: fd, path, give: nothing, mounts: [directory] }
}

/** Whatever is asked for is there, as far as the server is concerned. */
function nothing(): Promise<void> {
  return Promise.resolve()
}

function serverKind(name: string, options: string[], more: Partial<Kind> = {}): Kind[] {
  return bothWays({
    name: `file of a ${name} FUSE server`,
    waits: [],
    isSeekable: true,
    isServed: true,
    length: 4096,
    openFlags: constants.O_RDWR,
    ...more,
    make: (world, places, isNonblocking) => served(world, places, options, isNonblocking),
  })
}

export const SERVERS: Kind[] = [
  ...serverKind('good', ['--direct-io', '--delay', '0', EVERYTHING]),
  ...serverKind('slow', ['--direct-io', '--delay', SLOW_MILLISECONDS, EVERYTHING], {
    waits: ['in', 'out'],
    opensWait: true,
  }),
  // A poll of it is answered: that there is no such operation.
  ...serverKind('silent', ['--direct-io', '--delay', NEVER_MILLISECONDS, 'write'], {
    waits: ['in', 'out'],
    polls: [],
    neverEnds: true,
  }).slice(0, 1),
]
