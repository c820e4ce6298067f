#!/usr/bin/env bash
# @serialport/bindings-cpp 13.0.1 (npm, seen on Linux): an open that fails because the port is locked has already changed its settings.
#
# Expected: the option `lock` (true by default) is to keep others off a port that is in use; open then fails with "Cannot
# lock port", and the one who has the port is not disturbed.
# Happens: open first writes its own settings to the device (bits, parity, stop bits, flow control, raw mode), then asks for
# the lock. The settings of a terminal belong to the device, not to the descriptor: the owner's are gone, and it is not told.
# Only the speed comes after the lock.
# Hurts: a second instance started by mistake, or a tool that tries each port, answers "in use", and leaves the first one
# with another number of stop bits or without flow control: garbled or lost bytes from then on.
# Instead: try flock(1) on the device, or a lock file, before open; after a failed open of others, set your own settings again.
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
const { spawn, execFileSync } = require('child_process')
const { LinuxBinding } = require('@serialport/bindings-cpp')
const device = spawn('python3', ['device.py'])
device.stdout.once('data', async (data) => {
  const path = data.toString().trim()
  const settings = () => execFileSync('stty', ['-a', '-F', path]).toString().match(/-?(cstopb|ixon|ixoff)\b/g).join(' ')
  const owner = await LinuxBinding.open({ path, baudRate: 9600, stopBits: 2, xon: true, xoff: true })
  console.log(`opened by the owner: ${settings()}`)
  const error = await LinuxBinding.open({ path, baudRate: 9600 }).catch((error) => error)
  console.log(`a second open: ${error.message}`)
  console.log(`the owner's port is now: ${settings()}`)
  await owner.close()
  device.stdin.end()
})
E
node t.js | tee out
grep -q '^opened by the owner: cstopb ixon ixoff$' out
grep -q '^a second open: Error .*Cannot lock port$' out
grep -q "^the owner's port is now: -cstopb -ixon -ixoff$" out
