#!/usr/bin/env bash
# node-pty 1.1.0 (npm, Linux): every other child of the process inherits the master of every open terminal.
#
# Expected: a descriptor that a Node library opens is closed by exec (Node opens all of its own so), and closing a terminal
# hangs it up: the last close of a pty's master sends SIGHUP to the session and makes its reads end.
# Happens: on Linux the master comes from forkpty(3) and gets no FD_CLOEXEC. Any process started later, by child_process or
# by node-pty, holds a copy. destroy() sends a SIGHUP to the shell itself, but the terminal is not hung up: a program that
# ignores that one signal keeps a working terminal whose output nobody reads, for as long as an unrelated child lives.
# Hurts: terminal servers: sessions that never end, "too many open files" in children, /dev/pts that fills up.
# Instead: start other children through a wrapper that closes what is above 2 (bash: exec {fd}>&-), or use a process of its
# own for each terminal.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"
npm init -y >/dev/null; npm install --silent --no-audit --no-fund node-pty@1.1.0
echo "node $(node --version), node-pty $(node -p 'require("node-pty/package.json").version'), Linux $(uname -r | cut -d. -f1-2)"
cat >t.js <<'E'
const pty = require('node-pty')
const fs = require('fs')
const { spawn } = require('child_process')
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
// The terminal's program ignores SIGHUP and tells by a file whether writing to the terminal still works.
const program = (file) => `trap "" HUP; sleep 1; if echo x 2>/dev/null; then now=works; else now="hung up"; fi; echo $now >${file}`
const run = async (file, unrelated) => {
  const terminal = pty.spawn('bash', ['-c', program(file)], {})
  const child = unrelated && spawn('sleep', ['3'], { stdio: 'ignore' })
  await sleep(200)
  if (child) {
    const held = fs.readdirSync(`/proc/${child.pid}/fd`).filter((fd) => fs.readlinkSync(`/proc/${child.pid}/fd/${fd}`).endsWith('/ptmx'))
    console.log(`masters that an unrelated child holds: ${held.length}`)
  }
  terminal.destroy()
  await sleep(1500)
  console.log(`after destroy(), ${unrelated ? 'an unrelated child alive' : 'no other child'}: the terminal ${fs.readFileSync(file, 'utf8').trim()}`)
}
const main = async () => {
  await run('alone', false)
  await run('shared', true)
  process.exit()
}
main()
E
node t.js | tee out
grep -q '^masters that an unrelated child holds: 1$' out
grep -q 'no other child: the terminal hung up$' out
grep -q 'an unrelated child alive: the terminal works$' out
