#!/usr/bin/env bash
# usocket 1.1.0: a descriptor whose write meets a full socket is dropped; its bytes arrive.
#
# Expected: write({ data, fds }) sends both together; if the socket's buffer is full it waits, as a Writable does, and calls back
# when all was sent.
# What happens: where sendmsg(2) answers EAGAIN the package keeps the bytes for the next attempt and forgets the descriptors. The
# write calls back without an error, the bytes arrive, the descriptor does not. Which write meets the full buffer is a matter
# of how fast the other side reads: here 400 writes of 1000 bytes with a descriptor each to a reader that begins late.
# Whom it hurts: brokers that hand out descriptors under load: each lost one shifts all later ones by one message, since
# read(length, count) takes the next that came: descriptors go with the wrong requests.
# Instead: one write at a time, answered by the other side before the next, so that the buffer never fills.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
headers=$(node -p 'require("path").resolve(process.execPath, "../..")')
[ -e "$headers/include/node/node.h" ] && export npm_config_nodedir=$headers # headers that came with node need no download
npm init -y >npm.log; npm install --no-audit --no-fund --silent usocket@1.1.0 >>npm.log
echo "usocket $(node -p 'require("usocket/package.json").version'), node $(node -v), Linux $(uname -r)"
node - <<'JS'
const fs = require('fs'), { UServer, USocket } = require('usocket'), { once } = require('events');
(async () => {
  const server = new UServer(), connection = once(server, 'connection');
  let descriptors = 0, bytes = 0;
  server.listen('socket');
  await once(server, 'listening');
  const client = new USocket('socket');
  const [peer] = await connection;
  await new Promise((resolve) => setTimeout(resolve, 50));
  setTimeout(() => {
    peer.on('fds', (fds) => { descriptors += fds.length; fds.forEach((fd) => fs.closeSync(fd)); });
    peer.on('data', (data) => { bytes += data.length; });
  }, 300);
  const fd = fs.openSync('/dev/null');
  const writes = Array.from({ length: 400 }, () => new Promise((resolve, reject) => {
    client.write({ data: Buffer.alloc(1000), fds: [fd] }, null, (error) => (error ? reject(error) : resolve()));
  }));
  await Promise.all(writes);
  await new Promise((resolve) => setTimeout(resolve, 500));
  console.log(`400 writes without an error; arrived: ${bytes} bytes, ${descriptors} descriptors`);
  process.exit(bytes === 400_000 && descriptors < 400 ? 0 : 1);
})();
JS
