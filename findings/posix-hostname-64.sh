#!/usr/bin/env bash
# posix 4.2.0 (npm): gethostname() throws ENAMETOOLONG for the longest name that Linux allows.
#
# Expected: HOST_NAME_MAX of Linux is 64, without the terminating zero (sysconf(3): "maximum length of a hostname, not including
# the terminating null byte"), and sethostname(2) takes 64 bytes. So a host of such a name has a name that can be read.
# What happens: the package gives gethostname(2) a buffer of HOST_NAME_MAX bytes, one too few. glibc then answers ENAMETOOLONG,
# "file name too long", in a call that has no file. os.hostname() of Node reads the same name.
# Whom it hurts: hosts and containers whose names are generated (a prefix, a hash, a zone) and cut at the system's limit: the
# program works on all machines but those whose name is exactly 64 long.
# Instead: os.hostname().
# Needs root, or a kernel that lets users make name spaces: it sets the name in one of its own (unshare -u).
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
headers=$(node -p 'require("path").resolve(process.execPath, "../..")')
[ -e "$headers/include/node/node.h" ] && export npm_config_nodedir=$headers # headers that came with node need no download
npm init -y >npm.log; npm install --no-audit --no-fund --silent posix@4.2.0 >>npm.log
echo "posix $(node -p 'require("posix/package.json").version'), node $(node -v), Linux $(uname -r), $(getconf GNU_LIBC_VERSION)"
cat >ask.js <<'JS'
const os = require('os'), posix = require('posix');
let answer;
try { answer = posix.gethostname().length; } catch (error) { answer = error.code; }
console.log(`${os.hostname().length} ${answer}`);
JS
map=(); [ "$(id -u)" = 0 ] || map=(-r)
good=0
for length in 63 64; do
  seen=$(unshare "${map[@]}" -u sh -c 'echo "$1" >/proc/sys/kernel/hostname; exec node ask.js' - "$(printf 'h%.0s' $(seq $length))")
  echo "a name of $length: os.hostname() has ${seen% *}, posix.gethostname() $( [ "${seen#* }" = "$length" ] && echo "has $length" || echo "throws ${seen#* }")"
  case "$length $seen" in '63 63 63' | '64 64 ENAMETOOLONG') good=$((good + 1)) ;; esac
done
[ $good = 2 ]
