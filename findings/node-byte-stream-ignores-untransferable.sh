#!/usr/bin/env bash
# Node 20.20: a byte stream takes the memory of an ArrayBuffer away that was marked as not transferable.
#
# Expected: worker_threads.markAsUntransferable is there for memory "used by other objects on the sending side": postMessage and
# structuredClone with it in their transfer list leave it where it is (Node 20 copies, later ones throw a DataCloneError).
# What happens: a ReadableStream of type 'bytes' transfers what is enqueued, and what a BYOB reader hands in, without a look at
# the mark: the ArrayBuffer has 0 bytes afterwards, and so has every other view of it, and the reader's chunk has all of the
# memory, not just the part that was enqueued.
# Whom it hurts: addons and pools that mark their memory so that it cannot go away under them; Node marks its own pool in the same
# way. The views are empty far from the line that emptied them.
# Instead: give a byte stream a copy: new Uint8Array(chunk) or chunk.slice().
set -euo pipefail
echo "node $(node -v)"
node --input-type=module - <<'JS'
import { markAsUntransferable } from 'node:worker_threads';
const marked = () => {
  const memory = new ArrayBuffer(16);
  markAsUntransferable(memory);
  return { memory, other: new Uint8Array(memory, 8) };
};
const clone = marked();
let cloned;
try { structuredClone(clone.memory, { transfer: [clone.memory] }); cloned = 'copied'; } catch (error) { cloned = error.name; }
console.log(`structuredClone: ${cloned}; the original has ${clone.memory.byteLength} bytes, another view ${clone.other.length}`);

const enqueued = marked();
const stream = new ReadableStream({ type: 'bytes', start(controller) { controller.enqueue(new Uint8Array(enqueued.memory, 0, 4)); } });
const { value } = await stream.getReader().read();
console.log(`enqueue of 4 of the 16 bytes: the original has ${enqueued.memory.byteLength} bytes, another view ${enqueued.other.length}; the reader's chunk holds ${value.buffer.byteLength}`);

const byob = marked();
const source = new ReadableStream({ type: 'bytes', pull(controller) { controller.byobRequest.view[0] = 1; controller.byobRequest.respond(1); } });
await source.getReader({ mode: 'byob' }).read(new Uint8Array(byob.memory, 0, 4));
console.log(`BYOB read into 4 of the 16 bytes: the original has ${byob.memory.byteLength} bytes, another view ${byob.other.length}`);
const good = clone.memory.byteLength === 16 && clone.other.length === 8 && value.buffer.byteLength === 16
  && [enqueued, byob].every(({ memory, other }) => memory.byteLength === 0 && other.length === 0);
process.exit(good ? 0 : 1);
JS
