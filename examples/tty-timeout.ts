/**
 * Asks a question on the terminal, or on a serial line that is named, and does not wait for ever for the answer.
 *
 *     node --import=./scripts/register.mjs examples/tty-timeout.ts [/dev/ttyUSB0 [MILLISECONDS]]
 */
import { constants } from 'node:fs'

import { Ring, TimeoutError } from 'uring-safe-cancel'

const [path = '/dev/tty', milliseconds = '10000'] = process.argv.slice(2)

await using ring = new Ring()
// O_NOCTTY: a line that is opened must not become the terminal whose Ctrl-C ends this program.
const tty = await ring.open(path, constants.O_RDWR | constants.O_NOCTTY)
try {
  await ring.write(tty, 'Your name? ')
  // The line discipline gives a whole line at once.
  const { bytesRead, buffer } = await ring.read(tty, { timeout: Number(milliseconds) })
  const name = buffer.toString('utf8', 0, bytesRead).trim()
  await ring.write(tty, `Hello, ${name}!\n`)
} catch (error) {
  if (!(error instanceof TimeoutError)) throw error
  // The read is over, not abandoned: what is typed from now on goes to the shell.
  await ring.write(tty, '\nToo late.\n')
  process.exitCode = 1
} finally {
  await ring.closeFd(tty)
}
