#!/usr/bin/env bash
# fd-lock 2.2.0 (npm): if the lock is refused, the caller's descriptor has been closed.
#
# Expected: the class takes a descriptor that the caller has opened; its README names close() as what ends a lock. A lock that
# was refused leaves the descriptor as it was, as flock(2) and fcntl(2) do: one reads the file (who has the lock?), tries
# again, or closes it.
# Happens: ready() rejects with "File descriptor could not be locked", and the descriptor is closed by then. To read from it
# is EBADF. Its number is free for the next open of anybody: a caller that cleans up, with close(fd) in a catch or finally,
# then closes a file of another part of the program, as shown here.
# Hurts: programs with a lock file that may be taken: EBADF later on, in code that has nothing to do with the lock.
# Instead: after a rejection never touch the descriptor again; open the file anew.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"
npm init -y >/dev/null; npm install --silent --no-audit --no-fund fd-lock@2.2.0 fs-native-extensions@1.5.1
echo "node $(node --version), fd-lock $(node -p 'require("./node_modules/fd-lock/package.json").version')"
cat >t.js <<'E'
const fs = require('fs')
const FDLock = require('fd-lock')
const attempt = (run) => {
  try {
    run()
    return 'no error'
  } catch (error) {
    return error.code
  }
}
const main = async () => {
  const held = new FDLock(fs.openSync('lock', 'w+'))
  await held.ready()
  const fd = fs.openSync('lock', 'r+')
  const refused = await new FDLock(fd).ready().catch((error) => error.message)
  const used = attempt(() => fs.fstatSync(fd))
  const other = fs.openSync('other', 'w') // another part of the program
  const cleaned = attempt(() => fs.closeSync(fd)) // the caller's finally
  const written = attempt(() => fs.writeSync(other, 'data'))
  console.log(`refused: ${refused}`)
  console.log(`fstat of the descriptor: ${used}`)
  console.log(`close of the descriptor, after another file was opened: ${cleaned}`)
  console.log(`write to the other file: ${written}`)
  await held.close()
}
main()
E
node t.js | tee out
grep -q '^refused: File descriptor could not be locked$' out
grep -q '^fstat of the descriptor: EBADF$' out
grep -q '^close of the descriptor, after another file was opened: no error$' out
grep -q '^write to the other file: EBADF$' out
