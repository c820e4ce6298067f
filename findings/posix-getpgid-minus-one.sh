#!/usr/bin/env bash
# posix 4.2.0 (npm): getpgid() of a process that is gone returns -1 instead of throwing.
#
# Expected: getpgid(2) fails with ESRCH, and the other calls of the package throw an error with the code, setpgid for the same
# number among them.
# What happens: getpgid hands -1 on as if it were a group.
# Whom it hurts: the usual use is `process.kill(-posix.getpgid(pid))`, to end the group of a child. If the child has gone in the
# meantime that is process.kill(1): a signal for process 1 (in a container, the container's main process). This script only
# prints the number.
# Instead: check for -1 before anything is made of the result.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
headers=$(node -p 'require("path").resolve(process.execPath, "../..")')
[ -e "$headers/include/node/node.h" ] && export npm_config_nodedir=$headers # headers that came with node need no download
npm init -y >npm.log; npm install --no-audit --no-fund --silent posix@4.2.0 >>npm.log
echo "posix $(node -p 'require("posix/package.json").version'), node $(node -v), Linux $(uname -r)"
node - <<'JS'
const posix = require('posix'), { spawn } = require('child_process');
const child = spawn('true', { stdio: 'ignore' });
child.on('exit', () => {
  const ask = (name, ...args) => { try { return posix[name](...args); } catch (error) { return error.code; } };
  const got = ask('getpgid', child.pid), set = ask('setpgid', child.pid, child.pid);
  console.log(`a child that has been reaped: getpgid returns ${got}, setpgid throws ${set}; -getpgid(pid) is ${-got}`);
  process.exit(got === -1 && set === 'ESRCH' ? 0 : 1);
});
JS
