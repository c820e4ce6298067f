#!/usr/bin/env bash
# unix-dgram 2.0.7 (npm): a datagram of more than 65536 bytes arrives cut, and nothing says so.
#
# Expected: a Unix datagram arrives whole or not at all; unix(7) has no limit of 64 KiB (that is UDP's), only that of the
# send buffer, 212992 bytes by default. recvmsg(2) tells of a cut by MSG_TRUNC.
# Happens: the addon receives into 65536 bytes and looks neither at MSG_TRUNC nor asks for the size. send() succeeds with
# 100000 bytes; the 'message' event has the first 65536.
# Hurts: syslog, journald-like and statsd-like receivers with large structured records: JSON that does not parse, rarely.
# Instead: keep messages at 65536 bytes or below, with their length in them.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"
npm init -y >/dev/null; npm install --silent --no-audit --no-fund unix-dgram@2.0.7
echo "node $(node --version), unix-dgram $(node -p 'require("unix-dgram/package.json").version')"
cat >t.js <<'E'
const { createSocket } = require('unix-dgram')
const server = createSocket('unix_dgram', (message) => console.log(`received ${message.length} bytes`))
server.on('error', (error) => console.log(`receiver's error: ${error}`))
server.bind('socket')
const client = createSocket('unix_dgram')
client.on('error', (error) => console.log(`sender's error: ${error}`))
const data = Buffer.alloc(100000, 1)
client.send(data, 0, data.length, 'socket', (error) => console.log(`sent ${data.length} bytes: ${error ?? 'no error'}`))
setTimeout(() => {
  server.close()
  client.close()
}, 300)
E
node t.js | tee out
grep -q '^sent 100000 bytes: no error$' out
grep -q '^received 65536 bytes$' out
! grep -q "'s error" out
