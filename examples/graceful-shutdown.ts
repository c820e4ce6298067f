/**
 * A service that takes lines from a FIFO, and ends well on SIGINT and SIGTERM: the read that waits is cancelled, the lines
 * that were read are handled, and everything is closed.
 *
 *     mkfifo /tmp/service
 *     node --import=./scripts/register.mjs examples/graceful-shutdown.ts /tmp/service
 *     echo hello > /tmp/service
 */
import { StringDecoder } from 'node:string_decoder'

import { CANCELLED, Ring } from 'uring-safe-cancel'

const [path] = process.argv.slice(2)
if (path === undefined) throw new Error('the path of a FIFO is needed')

const ring = new Ring()
// A read that nothing can stop (a dead server's file) must not keep the service from ending.
ring.on('stuck', ({ operation, fd }) => console.error(`${operation} on descriptor ${fd} does not end`))

const shutdown = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    console.log(`${signal}: shutting down`)
    shutdown.abort()
  })
}

let handled = 0

/** It takes its time, and is not interrupted. */
async function handle(line: string): Promise<void> {
  await ring.sleep(10)
  console.log(`handled: ${line}`)
  handled += 1
}

// 'r+': the FIFO has a writer then, so that reads wait instead of telling the end of the file.
const fifo = await ring.open(path, 'r+')
console.log('ready')
// A read may end in the middle of a character, as it may in the middle of a line.
const decoder = new StringDecoder('utf8')
let rest = ''
while (!shutdown.signal.aborted) {
  const result = await ring.read(fifo, { signal: shutdown.signal, onCancel: 'resolve' })
  if (result === CANCELLED || result.bytesRead === 0) break
  // A signal that came too late for the cancel lost nothing: the bytes are here.
  const lines = (rest + decoder.write(result.buffer.subarray(0, result.bytesRead))).split('\n')
  rest = lines.pop() ?? ''
  for (const line of lines) await handle(line)
}
rest += decoder.end()
if (rest !== '') await handle(rest) // The last line came without its end.
await ring.closeFd(fifo)
await ring.close() // Waits for what is still under way; destroy() would cancel it.
console.log(`handled ${handled} lines; ${ring.stats().inFlight} operations left`)
