#!/usr/bin/env bash
# usocket 1.1.0: descriptors written without data are never sent, and the write reports success.
#
# Expected: its README: "Writing an array of integers will send file descriptors across the socket", and `data` is optional
# where an object is written. So write([fd]) sends one.
# What happens: it calls sendmsg(2) with the descriptors and no bytes. On a stream socket Linux sends nothing then (unix(7): "at
# least one byte of real data should be sent when sending ancillary data"), and returns 0, which the package takes for success:
# callback without an error, 'fds' at the other end never. The next write with a byte carries only its own descriptors.
# Whom it hurts: who follows the README: the receiver waits for a descriptor for ever, and the sender has closed its own.
# Instead: always send a byte along: write({ data: Buffer.from([0]), fds: [fd] }).
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
  let descriptors = 0;
  server.listen('socket');
  await once(server, 'listening');
  const client = new USocket('socket');
  const [peer] = await connection;
  await new Promise((resolve) => setTimeout(resolve, 50));
  peer.on('fds', (fds) => { descriptors += fds.length; fds.forEach((fd) => fs.closeSync(fd)); });
  peer.resume();
  const fd = fs.openSync('/dev/null'), write = (what) => new Promise((resolve) => client.write(what, null, (error) => resolve(error ?? 'no error')));
  console.log(`write([fd]): ${await write([fd])}`);
  console.log(`write({ fds: [fd] }): ${await write({ fds: [fd] })}`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const alone = descriptors;
  console.log(`write({ data, fds: [fd] }): ${await write({ data: Buffer.from('x'), fds: [fd] })}`);
  await new Promise((resolve) => setTimeout(resolve, 300));
  console.log(`arrived: ${alone} of the two alone, ${descriptors - alone} of the one with a byte`);
  process.exit(alone === 0 && descriptors === 1 ? 0 : 1);
})();
JS
