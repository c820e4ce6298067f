#!/usr/bin/env bash
# fd-slicer 1.1.0: read() of a BufferSlicer past the end reports how much is missing, not how much it read.
#
# Expected: its README gives FdSlicer and BufferSlicer the same read(buffer, offset, length, position, callback(err, bytesRead)),
# and that of a file tells the bytes read. The two are meant to be exchanged, as yauzl does with a file and a buffer.
# What happens: where the request reaches past the end of the buffer, the callback gets (position + length - size), the number of
# bytes that were NOT there. 10 bytes, read from 5: asked for 6 it says 1 (5 were copied), asked for 100 it says 95.
# Whom it hurts: who reads records to the end of a buffer: the last one is cut to a wrong length, or padded with whatever the
# target held before. It is right in just one case: where exactly half of the request is there.
# Instead: never ask for more than the buffer has, or count min(length, size - position) yourself.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >npm.log; npm install --no-audit --no-fund --silent fd-slicer@1.1.0 >>npm.log
echo "fd-slicer $(node -p 'require("fd-slicer/package.json").version'), node $(node -v)"
node --no-deprecation - <<'JS'
const fs = require('fs'), slicer = require('fd-slicer');
const bytes = Buffer.from('0123456789');
fs.writeFileSync('file', bytes);
const of = { buffer: slicer.createFromBuffer(bytes), file: slicer.createFromFd(fs.openSync('file', 'r')) };
const read = (kind, length) => new Promise((resolve, reject) => {
  const target = Buffer.alloc(100, '.');
  of[kind].read(target, 0, length, 5, (e, count) => (e ? reject(e) : resolve({ count, copied: target.toString().replace(/\.+$/, '') })));
});
(async () => {
  let good = true;
  for (const [length, wrong] of [[6, 1], [100, 95]]) {
    const file = await read('file', length), buffer = await read('buffer', length);
    console.log(`read ${length} bytes at 5 of 10: file says ${file.count}, buffer says ${buffer.count}; copied: ${file.copied}, ${buffer.copied}`);
    good &&= file.count === 5 && buffer.count === wrong && buffer.copied === '56789';
  }
  process.exit(good ? 0 : 1);
})();
JS
