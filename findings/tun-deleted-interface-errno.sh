#!/usr/bin/env bash
# Linux 6.18, tun/tap, met by Node 20: after the interface is deleted, reads and writes fail with EBADFD, which Node has no name for.
#
# Expected: what an unplugged device says: ENODEV, ENXIO or EIO; or an end of file. The descriptor is open and valid.
# What happens: read(2) and write(2) answer EBADFD (77, "file descriptor in bad state"), one letter from EBADF (9, "bad file
# descriptor"). libuv has no name for it, and Node makes two of that: the error of fs.readSync has the code 'Unknown system
# error -77', that of fs.writeSync on the same descriptor the code 'UNKNOWN'. Only `errno` is the same. poll(2) says POLLERR.
# Whom it hurts: VPN and emulator code that reconnects when its interface goes away: the error is neither of those that mean "the
# device is gone", and who reads it as EBADF looks for a double close that is not there. EBADFD also means that no interface
# was ever attached (TUNSETIFF was forgotten).
# Instead: test errno === -77 (on x86 and arm), and take it as the end of the device.
# Needs root, /dev/net/tun, iproute2 and python3 (for the ioctl).
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
cat >read.js <<'JS'
const fs = require('fs'), fd = Number(process.argv[2]);
const ask = (what) => { try { return what(); } catch (error) { return `${error.code} (errno ${error.errno})`; } };
const read = ask(() => fs.readSync(fd, Buffer.alloc(100))), write = ask(() => fs.writeSync(fd, Buffer.alloc(60)));
console.log(`node ${process.version}: read: ${read}; write: ${write}`);
process.exit(read === 'Unknown system error -77 (errno -77)' && write === 'UNKNOWN (errno -77)' ? 0 : 1);
JS
echo "Linux $(uname -r), $(python3 --version)"
python3 - <<'PY'
import errno, fcntl, os, select, struct, subprocess
TUNSETIFF, IFF_TAP, IFF_NO_PI = 0x400454CA, 0x2, 0x1000
tap = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
name = fcntl.ioctl(tap, TUNSETIFF, struct.pack('16sH22x', b'finding%d', IFF_TAP | IFF_NO_PI))[:16].rstrip(b'\0').decode()
subprocess.run(['ip', 'link', 'delete', name], check=True)
waiting = select.poll()
waiting.register(tap, select.POLLIN)
events = waiting.poll(0)
try:
    answer = os.read(tap, 100)
except OSError as error:
    answer = f'{errno.errorcode[error.errno]} ({error.errno})'
print(f'{name} is deleted; poll: {"POLLERR" if events and events[0][1] == select.POLLERR else events}; read(2): {answer}', flush=True)
node = subprocess.run(['node', 'read.js', str(tap)], pass_fds=[tap]).returncode
raise SystemExit(0 if answer == 'EBADFD (77)' and node == 0 else 1)
PY
