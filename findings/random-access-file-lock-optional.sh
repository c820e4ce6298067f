#!/usr/bin/env bash
# random-access-file 4.1.2 (npm): lock: true does not lock, and del() does not delete, where an optional dependency is missing.
#
# Expected: README: `lock` locks the file, and del(offset, length) zeroes that portion. What the platform cannot do is an error,
# as ELOCKED is for a file that another has locked.
# Happens: both are done by fs-native-extensions, an optional dependency, whose absence or failure to load is swallowed. Then
# lock: true is ignored, and two writers have the same file; del() calls back without an error, and the bytes are still
# there. Nothing tells which of the two one has. The README does not name the dependency.
# Hurts: images built with `npm ci --omit=optional`, bundled programs, platforms without a prebuilt addon: two processes write
# one store, which the tests on the developer's machine had shown to be impossible; deleted data stays readable.
# Instead: require('fs-native-extensions') yourself at the start, so that its absence is an error.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"
cat >t.js <<'E'
const fs = require('fs')
const RandomAccessFile = require('random-access-file')
const [, , name] = process.argv
const call = (run) => new Promise((resolve) => run((error) => resolve(error ? error.code : 'no error')))
const main = async () => {
  fs.writeFileSync('file', '0123456789')
  const first = new RandomAccessFile('file', { lock: true })
  const second = new RandomAccessFile('file', { lock: true })
  const results = []
  for (const file of [first, second]) results.push(await call((callback) => file.write(0, Buffer.from('a'), callback)))
  console.log(`${name}: write by the first: ${results[0]}; by the second, while the first has the lock: ${results[1]}`)
  const deleted = await call((callback) => first.del(2, 3, callback))
  console.log(`${name}: del(2, 3): ${deleted}, the file is ${JSON.stringify(fs.readFileSync('file', 'latin1'))}`)
}
main()
E
for name in with without; do
  mkdir $name; cd $name; npm init -y >/dev/null
  if [ $name = with ]; then npm install --silent --no-audit --no-fund random-access-file@4.1.2 fs-native-extensions@1.5.1
  else npm install --silent --no-audit --no-fund --omit=optional random-access-file@4.1.2; fi
  [ $name = without ] || echo "node $(node --version), random-access-file $(node -p 'require("./node_modules/random-access-file/package.json").version')"
  cp ../t.js .; node t.js $name; cd ..
done | tee out
grep -q '^with: write by the first: no error; .*: ELOCKED$' out
grep -q '^with: del(2, 3): no error, the file is "a1\\u0000\\u0000\\u000056789"$' out
grep -q '^without: write by the first: no error; .*: no error$' out
grep -q '^without: del(2, 3): no error, the file is "a123456789"$' out
