#!/usr/bin/env bash
# io_uring (seen on Linux 6.18): each read of a file in tmpfs is handed to a kernel thread, though its data is in memory.
#
# Expected: data that is in the page cache is copied inline, and a worker is asked only if the read would block: so it is on
# ext4 and others. tmpfs (/dev/shm, often /tmp) has nothing but the page cache, so it should be the fastest.
# Happens: tmpfs does not announce that it can be read without blocking (FMODE_NOWAIT), so that the kernel does not try:
# every read at a position goes to a worker and back, many times as slow at depth 1 (it costs two changes of
# threads). With O_NONBLOCK on the descriptor the same read is done inline, at once and whole.
# Hurts: benchmarks that use /dev/shm "to leave the disk out" and find io_uring slower than a pool of threads; caches there.
# Instead: open tmpfs files with O_NONBLOCK for io_uring, or use pread(2) or mmap(2) for them.
#
# Each case is a process of its own: it has one thread, and a second (a worker) if a read was handed over. The times are for
# the eye only.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
io-uring = "=0.7.16"
libc = "=0.2.191"
E
cat >src/main.rs <<'E'
use io_uring::{opcode, types, IoUring};

fn main() {
    let arguments: Vec<_> = std::env::args().collect();
    let flags = if arguments[2] == "O_NONBLOCK" { libc::O_NONBLOCK } else { 0 };
    let path = std::ffi::CString::new(arguments[1].as_str()).unwrap();
    let fd = unsafe { libc::open(path.as_ptr(), libc::O_RDONLY | flags) };
    assert!(fd >= 0);
    let mut ring = IoUring::new(8).unwrap();
    let mut buffer = [0; 4096];
    let begun = std::time::Instant::now();
    for _ in 0..2000 {
        let entry = opcode::Read::new(types::Fd(fd), buffer.as_mut_ptr(), 4096).offset(0).build();
        unsafe { ring.submission().push(&entry).unwrap() };
        ring.submit_and_wait(1).unwrap();
        assert_eq!(ring.completion().next().unwrap().result(), 4096);
    }
    let each = begun.elapsed() / 2000;
    let threads = std::fs::read_dir("/proc/self/task").unwrap().count();
    println!("{}, {}: {threads} threads, {each:?} each", arguments[3], arguments[2]);
}
E
nice cargo build --quiet 2>&1; echo "Linux $(uname -r | cut -d. -f1-2), io-uring 0.7.16"
file=$(mktemp -p /dev/shm); trap 'rm -rf "$d" "$file"' EXIT
head -c 4096 /dev/zero >"$file"; cp "$file" here
[ "$(stat -f -c %T "$file")" = tmpfs ] || { echo '/dev/shm is no tmpfs'; exit 1; }
other=$(stat -f -c %T here); [ "$other" != tmpfs ] || { echo 'set TMPDIR to a folder of a disk'; exit 1; }
{
  ./target/debug/finding here blocking "$other"
  ./target/debug/finding "$file" blocking tmpfs
  ./target/debug/finding "$file" O_NONBLOCK tmpfs
} | tee out
grep -q '^tmpfs, blocking: 2 threads' out
grep -q '^tmpfs, O_NONBLOCK: 1 threads' out
grep -q "^$other, blocking: 1 threads" out
