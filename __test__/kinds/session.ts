/** Processes that are to their terminal as those of a shell are. */
import type { Calls, Helper } from './calls.js'
import type { Session } from './kind.js'

export const STDIN = 0
const PR_SET_PDEATHSIG = 1

/** A process whose standard input is that terminal, in the session that it controls. */
export async function forkInto(
  helper: Helper,
  world: Calls,
  terminal: number,
  session: Session,
): Promise<Calls> {
  let parent = world
  // Its parent ends, so that nobody of the session is left who could continue it.
  if (session.where === 'orphaned') parent = await helper.fork(world, 'rival')
  const calls = await helper.fork(parent, 'actor')
  if (session.where !== 'foreground') await calls.must('setpgid', 0, 0)
  for (const signal of session.ignores ?? []) await calls.ask('ignore', signal)
  await calls.must('dup3', terminal, STDIN, 0)
  if (session.where === 'orphaned') {
    await calls.must('prctl', PR_SET_PDEATHSIG, 0, 0, 0, 0)
    parent.kill()
    await world.must('wait4', parent.pid, 0, 0, 0)
  }
  return calls
}
