#!/usr/bin/env bash
# usocket 1.1.0 (npm): end() after a large write() cuts off what the socket did not take at once.
#
# Expected: its README calls USocket a stream.Duplex. end() of a writable stream closes it once all that was written
# before is out (Node's documentation of stream: writable.end), as net.Socket does on the same socket.
# Happens: end() shuts the socket down for sending at once. What the kernel's buffer had taken by then arrives (some
# 200 kB of 1 MB here), then an end of stream that looks in order. The rest is dropped: no 'error', no 'finish', and the
# callback of write() never comes. write() also returns undefined, so that pipe() into it has no backpressure.
# Hurts: whoever sends more than a little over a Unix socket next to passed descriptors: cut messages, only large ones.
# Instead: end() only from the callback of the last write().
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"
npm init -y >/dev/null; npm install --silent --no-audit --no-fund usocket@1.1.0
echo "node $(node --version), usocket $(node -p 'require("usocket/package.json").version')"
cat >t.js <<'E'
const net = require('net')
const { USocket } = require('usocket')
const size = 1000000
const server = net.createServer((socket) => {
  let bytes = 0
  socket.on('data', (data) => (bytes += data.length))
  socket.on('end', () => console.log(`the reader saw ${bytes === size ? 'all' : bytes < size / 2 ? 'less than half' : 'a part'} (${bytes}), and the end`))
})
const send = (socket, name) => {
  socket.on('error', (error) => console.log(`${name}: error ${error.message}`))
  socket.on('finish', () => console.log(`${name}: finish`))
  console.log(`${name}: write() returns ${socket.write(Buffer.alloc(size), () => console.log(`${name}: written`))}`)
  socket.end()
}
server.listen('socket', () => {
  const a = new USocket('socket')
  a.on('connected', () => send(a, 'usocket'))
  setTimeout(() => {
    const b = net.connect('socket')
    b.on('connect', () => send(b, 'net'))
  }, 700)
  setTimeout(() => process.exit(), 1400)
})
E
node t.js | tee out
[ "$(grep -v '^node' out | head -2 | paste -sd'|' | tr -d 0-9)" = 'usocket: write() returns undefined|the reader saw less than half (), and the end' ]
! grep -q '^usocket: \(error\|finish\|written\)' out
grep -q '^the reader saw all (1000000), and the end$' out
