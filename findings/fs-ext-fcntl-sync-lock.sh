#!/usr/bin/env bash
# fs-ext 2.1.1: fcntlSync can never take a lock (EFAULT), and fcntl 'getlk' never tells of one.
#
# Expected: its README lists 'setlk', 'setlkw' and 'getlk' as commands of fcntl, with the callback getting (err, result), and
# fcntlSync as the same that throws. So fcntlSync(fd, 'setlk', F_WRLCK) locks, and 'getlk' says who holds a lock.
# What happens: only the asynchronous form builds the struct that the kernel wants. The synchronous one hands over the number
# itself as its address: EFAULT, for every file and every lock. And 'getlk' asks about a read lock whatever its argument, and
# throws the answer away: it calls back with 0 while another process holds a write lock over the whole file.
# Whom it hurts: who moves a start-up path to the synchronous form and sees "bad address" where a lock was asked for, and who
# looks with 'getlk' before writing: the file always looks free.
# Instead: fcntl(fd, 'setlk', ..., callback), whose EAGAIN or EACCES is the only answer about others; flockSync works too.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
headers=$(node -p 'require("path").resolve(process.execPath, "../..")')
[ -e "$headers/include/node/node.h" ] && export npm_config_nodedir=$headers # headers that came with node need no download
npm init -y >npm.log; npm install --no-audit --no-fund --silent fs-ext@2.1.1 >>npm.log
echo "fs-ext $(node -p 'require("fs-ext/package.json").version'), node $(node -v), Linux $(uname -r)"
cat >holder.js <<'JS'
const { fcntl, constants } = require('fs-ext'), fs = require('fs');
fcntl(fs.openSync('file', 'r+'), 'setlk', constants.F_WRLCK, (error) => console.log(error ? error.code : 'locked'));
process.stdin.resume(); // until the other closes it
JS
node - <<'JS'
const fs = require('fs'), { spawn } = require('child_process'), { once } = require('events');
const { fcntl, fcntlSync, constants } = require('fs-ext');
const fd = fs.openSync('file', 'w+');
const ask = (command) => new Promise((resolve) => fcntl(fd, command, constants.F_WRLCK, (e, result) => resolve(e ? e.code : result)));
(async () => {
  const sync = ['setlk', 'setlkw', 'getlk'].map((command) => { try { return fcntlSync(fd, command, constants.F_WRLCK); } catch (e) { return e.code; } });
  console.log(`fcntlSync setlk, setlkw, getlk on a file that nobody locks: ${sync.join(', ')}`);
  const holder = spawn(process.execPath, ['holder.js'], { stdio: ['pipe', 'pipe', 'inherit'] });
  console.log(`another process: ${String((await once(holder.stdout, 'data'))[0]).trim()}`);
  const getlk = await ask('getlk'), setlk = await ask('setlk');
  console.log(`fcntl getlk: ${getlk}; fcntl setlk: ${setlk}`);
  holder.stdin.end();
  process.exit(sync.every((code) => code === 'EFAULT') && getlk === 0 && setlk === 'EAGAIN' ? 0 : 1);
})();
JS
