#!/usr/bin/env bash
# oxlint 1.89.0 (npm): an import that one pattern of no-restricted-imports exempts is restricted by no other pattern either.
#
# Expected: as in ESLint, whose rule and options these are: each entry of `patterns` is judged by itself, so that a name which the
# first exempts ("!../a/ok.js") and the second restricts is an error, by the second.
# What happens: nothing is said of such an import, in whatever order the two stand. ESLint 9.39.1 reports it.
# Whom it hurts: whoever keeps the layers of a program by this rule, with one entry for what a folder may import and another for
# what of that it may import as types alone: the second entry never fires, and no warning says so.
# Instead: give the second entry a `regex`, and let it stand first.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
npm init -y >npm.log; npm install --no-audit --no-fund --silent oxlint@1.89.0 eslint@9.39.1 >>npm.log
echo "oxlint $(npx oxlint --version | grep -o '[0-9.]*$'), eslint $(npx eslint --version), node $(node -v)"
mkdir src
echo "import { b } from '../a/ok.js'; export default b" >src/x.js
node - <<'JS'
const { execFileSync } = require('node:child_process'), { writeFileSync } = require('node:fs');
const exempting = { group: ['../a/**', '!../a/ok.js'], message: 'first' };
const restricting = { group: ['../a/ok.js'], message: 'second' };
const says = (command, args) => {
  try { return execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' }) } catch (error) { return error.stdout }
};
let isAsStated = true;
for (const patterns of [[restricting], [exempting, restricting], [restricting, exempting]]) {
  const rules = { 'no-restricted-imports': ['error', { patterns }] };
  writeFileSync('.oxlintrc.json', JSON.stringify({ rules }));
  writeFileSync('eslint.config.mjs', `export default [${JSON.stringify({ rules })}]`);
  const found = ['oxlint', 'eslint'].map((name) => says(`node_modules/.bin/${name}`, ['src']).includes('second'));
  console.log(`${patterns.map(({ message }) => message).join(', ')}: oxlint ${found[0] ? 'reports' : 'says nothing'}, eslint ${found[1] ? 'reports' : 'says nothing'}`);
  if (found[0] !== (patterns.length === 1) || !found[1]) isAsStated = false;
}
process.exit(isAsStated ? 0 : 1);
JS
