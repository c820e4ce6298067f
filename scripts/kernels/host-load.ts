/** Work for the processors of the host: on a busy machine the race is met more often. */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Starts it, and gives back what ends it. */
export function startHostLoad(): () => void {
  const children = Array.from({ length: availableParallelism() }, () =>
    spawn('sh', ['-c', 'while :; do :; done'], { stdio: 'ignore' }),
  )
  const stop = () => children.forEach((child) => child.kill('SIGKILL'))
  process.once('exit', stop)
  return () => {
    process.off('exit', stop)
    stop()
  }
}
