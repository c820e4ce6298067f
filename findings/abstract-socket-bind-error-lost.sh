#!/usr/bin/env bash
# abstract-socket 2.1.1 (npm): the error of a bind that failed is lost; another one, of a closed descriptor, comes in its place.
#
# Expected: its README: listen "emits an error if the bind(2) system call fails". For a name that is taken: 'error', EADDRINUSE.
# What happens: the code emits an event whose NAME is the error object, emit(error) instead of emit('error', error), so that no
# listener hears it, and goes on: it has closed the descriptor, and hands its number to net.Server.listen. What arrives is what
# that says of whatever has this number by then, here "EINVAL listen". The same for a name without the leading zero byte.
# Whom it hurts: services that wait and try again on EADDRINUSE, or take over from an old instance: they see an error that says
# "invalid argument" and names no cause. Where another thread has opened something under the number, it is that which is used.
# Instead: look with connect(name) whether somebody answers before listen(name), or override emit and look for an Error as name.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
headers=$(node -p 'require("path").resolve(process.execPath, "../..")')
[ -e "$headers/include/node/node.h" ] && export npm_config_nodedir=$headers # headers that came with node need no download
npm init -y >npm.log; npm install --no-audit --no-fund --silent abstract-socket@2.1.1 >>npm.log
echo "abstract-socket $(node -p 'require("abstract-socket/package.json").version'), node $(node -v), Linux $(uname -r)"
node --no-deprecation - <<'JS'
const abstract = require('abstract-socket'), { once } = require('events');
const name = `\0finding-${process.pid}`;
const second = (server) => {
  const events = [], emit = server.emit;
  server.emit = function (event, ...args) { events.push(event); return emit.call(this, event, ...args); };
  return new Promise((resolve) => {
    server.on('listening', () => resolve({ heard: 'listening', events })).on('error', ({ code, syscall }) => resolve({ heard: `${code} ${syscall}`, events }));
    server.listen(name);
  });
};
(async () => {
  const first = abstract.createServer();
  first.listen(name);
  await once(first, 'listening');
  const answer = await second(abstract.createServer());
  const lost = answer.events.find((event) => event instanceof Error);
  console.log(`the same name again: 'error' with ${answer.heard}; an event named by an error: ${lost?.code}`);
  process.exit(lost?.code === 'EADDRINUSE' && !answer.heard.startsWith('EADDRINUSE') ? 0 : 1);
})();
JS
