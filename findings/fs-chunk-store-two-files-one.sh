#!/usr/bin/env bash
# fs-chunk-store 5.0.1 (npm): two files whose names differ only in a character that Windows forbids are one file, on Linux too.
#
# Expected: each entry of `files` has a place of its own, and get() of a chunk gives what put() stored. Both names are good on
# Linux, where only "/" and the zero byte are not.
# What happens: characters like : ? * " < > | are taken out of each name, on every system, and nobody looks whether the rest is
# taken: "1:2.txt" and "12.txt" are both "12.txt". put() of the second overwrites the first, without an error, and get() of the
# first returns the second's bytes. Only the name is changed, not the folders above it.
# Whom it hurts: WebTorrent and others that keep what strangers named: the pieces of one of the two files never match their
# hashes again once the other has come, so that the download never gets complete.
# Instead: compare the store's `files` for equal paths before the first put.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >npm.log; npm install --no-audit --no-fund --silent fs-chunk-store@5.0.1 >>npm.log
echo "fs-chunk-store $(node -p 'JSON.parse(fs.readFileSync("node_modules/fs-chunk-store/package.json")).version'), node $(node -v)"
cat >two.mjs <<'JS'
import Store from 'fs-chunk-store';
import { readdirSync } from 'node:fs';
const store = new Store(4, { path: 'stored', files: [{ path: '1:2.txt', length: 4 }, { path: '12.txt', length: 4 }] });
const call = (method, ...args) => new Promise((resolve, reject) => {
  store[method](...args, (error, value) => (error ? reject(error) : resolve(value && Buffer.from(value).toString())));
});
await call('put', 0, Buffer.from('AAAA'));
const before = await call('get', 0);
await call('put', 1, Buffer.from('BBBB'));
const after = await call('get', 0), files = readdirSync('stored');
console.log(`chunk 0 is "1:2.txt", chunk 1 is "12.txt"; chunk 0: ${before}, after chunk 1 was put: ${after}; on the disk: ${files.join(', ')}`);
process.exit(before === 'AAAA' && after === 'BBBB' && files.join() === '12.txt' ? 0 : 1);
JS
node two.mjs
