#!/usr/bin/env bash
# fs-ext 2.1.1: an asynchronous statVFS that fails calls back with an error that says "Success" and has no code.
#
# Expected: the same error in both forms: ENOENT for a path that is not there, as statVFS without a callback throws it.
# What happens: the thread that calls statvfs(3) notes that it failed, but not errno. The callback gets an Error with
# `code` '', `errno` 0 and the message of errno 0.
# Whom it hurts: every `switch (error.code)`, and who reads "Success" in a log of a failure: ENOENT, EACCES, ELOOP and EIO of a
# dying disk cannot be told apart.
# Instead: the synchronous form, or fs.statfs of Node 18.15 and later.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
headers=$(node -p 'require("path").resolve(process.execPath, "../..")')
[ -e "$headers/include/node/node.h" ] && export npm_config_nodedir=$headers # headers that came with node need no download
npm init -y >npm.log; npm install --no-audit --no-fund --silent fs-ext@2.1.1 >>npm.log
echo "fs-ext $(node -p 'require("fs-ext/package.json").version'), node $(node -v), Linux $(uname -r)"
node - <<'JS'
const { statVFS } = require('fs-ext');
let sync;
try { statVFS('not-there'); } catch (error) { sync = error; }
statVFS('not-there', (error) => {
  for (const [form, e] of [['synchronous', sync], ['asynchronous', error]]) {
    console.log(`${form}: code ${JSON.stringify(e.code)}, errno ${e.errno}, message ${JSON.stringify(e.message)}`);
  }
  process.exit(sync.code === 'ENOENT' && error instanceof Error && error.code === '' && error.errno === 0 ? 0 : 1);
});
JS
