#!/usr/bin/env bash
# fd-slicer 1.1.0: a write stream that the system could write only a part of finishes without an error, and the rest is lost.
#
# Expected: write(2) may write fewer bytes than it was given, and fs.write of Node tells how many it wrote. A Writable that says
# "finish" has handed over everything, and fs.createWriteStream of Node asks again for what is left, so that it meets the error
# that cut the first write short.
# What happens: the stream of createFromFd(fd).createWriteStream() calls back after one fs.write, whatever its count. Here the
# file may not grow past 64 KiB (ulimit -f; a full disk or a quota cuts a write in the same way): 100000 bytes are written,
# 65536 arrive, no "error", and "finish" comes. bytesWritten tells the truth, if anybody compares it.
# Whom it hurts: who writes archives or images through it onto disks that fill up: the end is missing, and the program says done.
# Instead: compare bytesWritten with what was sent at "finish", or use fs.createWriteStream with `fd` and `start`.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >npm.log; npm install --no-audit --no-fund --silent fd-slicer@1.1.0 >>npm.log
echo "fd-slicer $(node -p 'require("fd-slicer/package.json").version'), node $(node -v), Linux $(uname -r)"
ulimit -f 64 # KiB
node --no-deprecation - <<'JS'
const fs = require('fs'), { createFromFd } = require('fd-slicer'), { once } = require('events');
(async () => {
  const fd = fs.openSync('slicer', 'w'), stream = createFromFd(fd).createWriteStream();
  let error = null;
  stream.on('error', (e) => { error = e; });
  stream.end(Buffer.alloc(100_000, 1));
  await once(stream, 'finish');
  const size = fs.fstatSync(fd).size;
  console.log(`fd-slicer: finish, error: ${error}, bytesWritten: ${stream.bytesWritten}, in the file: ${size} of 100000`);
  const core = await new Promise((resolve) => {
    const plain = fs.createWriteStream('core');
    plain.on('error', (e) => resolve(e.code)).on('finish', () => resolve('finish'));
    plain.end(Buffer.alloc(100_000, 1));
  });
  console.log(`fs.createWriteStream, the same: ${core}`);
  process.exit(error === null && size === 65536 && core === 'EFBIG' ? 0 : 1);
})();
JS
