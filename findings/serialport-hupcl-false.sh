#!/usr/bin/env bash
# @serialport/bindings-cpp 13.0.1 (npm, seen on Linux): the option hupcl: false does nothing.
#
# Expected: the option says whether closing the port drops DTR; it is true by default, so false is there to keep DTR up.
# Happens: true sets the flag HUPCL of the device, false does not clear it. A serial port has it set from the start (stty
# shows hupcl on a fresh /dev/ttyS or /dev/ttyUSB), and every earlier open by this library has set it again.
# Hurts: whoever sets it to keep a board from being reset at each close (Arduino and ESP boards reset on DTR): the option is
# accepted, and the board resets as before.
# Instead: run `stty -F /dev/ttyUSB0 -hupcl` after the port was opened.
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
  const flag = () => execFileSync('stty', ['-a', '-F', path]).toString().match(/-?hupcl\b/)[0]
  execFileSync('stty', ['-F', path, 'hupcl'])
  console.log(`before, as on a fresh serial port: ${flag()}`)
  const port = await LinuxBinding.open({ path, baudRate: 9600, hupcl: false })
  console.log(`opened with hupcl: false: ${flag()}`)
  execFileSync('stty', ['-F', path, '-hupcl'])
  console.log(`after stty -hupcl: ${flag()}`)
  await port.close()
  device.stdin.end()
})
E
node t.js | tee out
grep -q '^opened with hupcl: false: hupcl$' out
grep -q '^after stty -hupcl: -hupcl$' out
