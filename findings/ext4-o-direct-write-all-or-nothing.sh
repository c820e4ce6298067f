#!/usr/bin/env bash
# ext4 (Linux 6.18), O_DIRECT: a write that is longer than what is free writes nothing, where a buffered one writes what fits.
#
# Expected: write(2) under ERRORS and RETURN VALUE: fewer bytes than asked for may be written "if there is insufficient space on
# the underlying physical medium", and the next write fails with ENOSPC. It has no exception for O_DIRECT.
# What happens: with 4 MiB free, write(2) of 8 MiB to an ordinary descriptor writes 4 MiB. To one with O_DIRECT it fails with
# ENOSPC, and the file stays empty: blocks for the whole range are asked for first, and given back.
# Whom it hurts: recorders and databases that write in large pieces and go on with "what fits" (a ring of segments, an upload
# that resumes at the size of the file): the last megabytes of a disk are unusable to them, by as much as one write; and a test
# with buffered files shows nothing of it. Through io_uring it is the same.
# Instead: on ENOSPC of a direct write try again with half of it, down to the block size.
# Needs root: it makes a file system in a file of 64 MiB and mounts it (mkfs.ext4, loop device); python3.
set -euo pipefail
dir=$(mktemp -d); mkdir "$dir/mnt"
trap 'umount "$dir/mnt" 2>/dev/null || true; rm -rf "$dir"' EXIT
truncate -s 64M "$dir/image"; mkfs.ext4 -q -F -m 0 -b 4096 "$dir/image"; mount -o loop "$dir/image" "$dir/mnt"
echo "Linux $(uname -r), $(python3 --version), mkfs.ext4 $(mkfs.ext4 -V 2>&1 | sed -n '1s/mke2fs //p')"
cd "$dir/mnt"; status=0
python3 - <<'PY' || status=$?
import errno, mmap, os
free = os.statvfs('.').f_bavail * 4096
fill = os.open('fill', os.O_CREAT | os.O_WRONLY)
os.posix_fallocate(fill, 0, free - (4 << 20))
os.fsync(fill)
data = mmap.mmap(-1, 8 << 20)  # aligned, as O_DIRECT wants it
seen = []
for name, flag in (('buffered', 0), ('O_DIRECT', os.O_DIRECT)):
    left = os.statvfs('.').f_bavail * 4096
    fd = os.open(name, os.O_CREAT | os.O_WRONLY | flag)
    try:
        answer = os.write(fd, data)
    except OSError as error:
        answer = errno.errorcode[error.errno]
    size = os.fstat(fd).st_size
    print(f'{name}: free {left}, write of {8 << 20} bytes: {answer}, size of the file: {size}')
    seen.append((answer, size, left))
    os.close(fd)
    os.unlink(name)
    os.sync()
raise SystemExit(0 if seen == [(4 << 20, 4 << 20, 4 << 20), ('ENOSPC', 0, 4 << 20)] else 1)
PY
cd /
exit $status
