#!/usr/bin/env bash
# @serialport/bindings-cpp 13.0.1 (npm, seen on Linux): update({ baudRate }) throws away what was received and what is still to be sent.
#
# Expected: update changes the speed of an open port (its documentation says no more), and flush() is the method that
# discards data. tcsetattr(3) has TCSADRAIN for a change that waits for the output, and TCSANOW touches no data.
# Happens: for each of the usual speeds it calls tcflush(TCIOFLUSH) first: bytes that lie received in the kernel are gone, and
# so is output that write() has reported as written. The same speed as before does it too. It resolves without an error.
# For a speed beyond the table (250000, say) another path is taken, and nothing is thrown away.
# Hurts: protocols that agree on a faster speed ("answer, then switch"): the answer, or the end of the own command, is lost
# now and then, by timing.
# Instead: read all that is expected, and await drain(), before update().
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"
npm init -y >/dev/null; npm install --silent --no-audit --no-fund @serialport/bindings-cpp@13.0.1
echo "node $(node --version), @serialport/bindings-cpp $(node -p 'require("@serialport/bindings-cpp/package.json").version')"
# A pseudo-terminal as the port; the device at its other side sends the lines that come at the script's input.
cat >device.py <<'E'
import os, pty, sys, tty
master, slave = pty.openpty()
tty.setraw(slave)
print(os.ttyname(slave), flush=True)
for line in sys.stdin:
    os.write(master, line.strip().encode())
    print("sent", flush=True)
E
cat >t.js <<'E'
const { spawn } = require('child_process')
const { LinuxBinding } = require('@serialport/bindings-cpp')
const device = spawn('python3', ['device.py'])
const line = () => new Promise((resolve) => device.stdout.once('data', (data) => resolve(data.toString().trim())))
const main = async () => {
  const port = await LinuxBinding.open({ path: await line(), baudRate: 57600 })
  for (const baudRate of [undefined, 250000, 57600]) {
    device.stdin.write('answer\n')
    await line()
    if (baudRate) await port.update({ baudRate })
    const buffer = Buffer.alloc(64)
    const read = port.read(buffer, 0, 64).then(({ bytesRead }) => `"${buffer.toString('latin1', 0, bytesRead)}"`)
    const nothing = new Promise((resolve) => setTimeout(resolve, 500, 'nothing'))
    console.log(`${baudRate ? `update to ${baudRate}` : 'no update'}: read ${await Promise.race([read, nothing])}`)
  }
  process.exit()
}
main()
E
node t.js | tee out
grep -q '^no update: read "answer"$' out
grep -q '^update to 250000: read "answer"$' out
grep -q '^update to 57600: read nothing$' out
