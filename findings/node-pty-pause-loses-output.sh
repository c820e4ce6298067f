#!/usr/bin/env bash
# node-pty 1.1.0 (npm): pause() for longer than 200 ms, and the last output of a program that has ended is gone.
#
# Expected: its types say of pause() "Pauses the pty for customizable flow control". A paused stream keeps its bytes (the
# kernel holds them), so that resume() delivers them, as with a pipe of node:child_process.
# Happens: when the child ends, a timer of 200 ms destroys the descriptor, read to the end or not, paused or not. What lay in
# the kernel's buffer is lost. No error, exit code 0, and onExit comes while data is outstanding.
# Hurts: terminals with backpressure (a slow WebSocket, a browser's tab in the background): the tail of short commands
# vanishes now and then, only under load.
# Instead: never leave it paused; keep reading into a queue of your own, or let the child wait before it ends.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"
npm init -y >/dev/null; npm install --silent --no-audit --no-fund node-pty@1.1.0
echo "node $(node --version), node-pty $(node -p 'require("node-pty/package.json").version')"
cat >t.js <<'E'
const pty = require('node-pty')
const { spawn } = require('child_process')
const args = ['-c', 'head -c 3000 /dev/zero | tr "\\0" x']
const paused = (ms) =>
  new Promise((resolve) => {
    let bytes = 0
    const terminal = pty.spawn('sh', args, { encoding: null })
    terminal.pause()
    terminal.onData((data) => (bytes += data.length))
    let code
    terminal.onExit(({ exitCode }) => (code = exitCode))
    setTimeout(() => {
      terminal.resume()
      // A busy machine may take its time to start the program.
      setTimeout(() => resolve(`${bytes} of 3000 bytes, exit code ${code}`), 1500)
    }, ms)
  })
const piped = (ms) =>
  new Promise((resolve) => {
    let bytes = 0
    const child = spawn('sh', args)
    child.stdout.pause()
    child.stdout.on('data', (data) => (bytes += data.length))
    child.stdout.pause()
    child.on('close', (code) => resolve(`${bytes} of 3000 bytes, exit code ${code}`))
    setTimeout(() => child.stdout.resume(), ms)
  })
const main = async () => {
  console.log(`node-pty, paused for 20 ms: ${await paused(20)}`)
  console.log(`node-pty, paused for 5000 ms: ${await paused(5000)}`)
  console.log(`child_process, paused for 5000 ms: ${await piped(5000)}`)
  process.exit()
}
main()
E
node t.js | tee out
grep -q '^node-pty, paused for 5000 ms: 0 of 3000 bytes, exit code 0$' out
grep -q '^child_process, paused for 5000 ms: 3000 of 3000 bytes, exit code 0$' out
