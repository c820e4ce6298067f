#!/usr/bin/env bash
# io_uring (seen on Linux 6.18): after unshare(CLONE_FS) and chdir a relative path is looked up in the old directory.
#
# Expected: AT_FDCWD means the current directory of the thread that submits, as for the system call. unshare(2) with
# CLONE_FS is the documented way to give a thread a current directory and umask of its own (Samba's threads do it).
# io_uring_enter(2) says of neither mkdirat nor unlinkat that another directory could be meant.
# Happens: operations such as mkdirat, unlinkat and renameat always run on a kernel worker. A worker shares the thread's
# "fs" (directory, root, umask) as it was when the worker was made; a later unshare does not reach it. So the first mkdirat
# decides: later ones succeed, in the directory of before. So it depends on
# whether any operation needed a worker before.
# Hurts: file servers and build tools that work with a directory or umask for each thread: files made, renamed or deleted
# in another directory, with success as the result.
# Instead: call unshare before the thread's first io_uring operation, or give an open directory instead of AT_FDCWD.
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
use std::os::fd::AsRawFd;

fn mkdir(ring: &mut IoUring, at: i32, name: &std::ffi::CStr) {
    let entry = opcode::MkDirAt::new(types::Fd(at), name.as_ptr()).mode(0o777).build();
    unsafe { ring.submission().push(&entry).unwrap() };
    ring.submit_and_wait(1).unwrap();
    assert_eq!(ring.completion().next().unwrap().result(), 0);
}

fn list(folder: &str) -> String {
    let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names.join(" ")
}

fn main() {
    let base = std::env::current_dir().unwrap();
    let (old, new) = (base.join("old"), base.join("new"));
    std::fs::create_dir(&old).unwrap();
    std::fs::create_dir(&new).unwrap();
    std::env::set_current_dir(&old).unwrap();
    let mut ring = IoUring::new(8).unwrap();
    mkdir(&mut ring, libc::AT_FDCWD, c"first");
    assert_eq!(unsafe { libc::unshare(libc::CLONE_FS) }, 0);
    std::env::set_current_dir(&new).unwrap();
    unsafe { libc::mkdir(c"by-mkdir".as_ptr(), 0o777) };
    mkdir(&mut ring, libc::AT_FDCWD, c"by-io_uring");
    let here = std::fs::File::open(".").unwrap();
    mkdir(&mut ring, here.as_raw_fd(), c"by-io_uring-at-a-descriptor");
    println!("the current directory is {}", std::env::current_dir().unwrap().file_name().unwrap().to_str().unwrap());
    println!("old has: {}", list(old.to_str().unwrap()));
    println!("new has: {}", list(new.to_str().unwrap()));
}
E
nice cargo build --quiet 2>&1; echo "Linux $(uname -r | cut -d. -f1-2), io-uring 0.7.16"
./target/debug/finding | tee out
grep -q '^the current directory is new$' out
grep -q '^old has: by-io_uring first$' out
grep -q '^new has: by-io_uring-at-a-descriptor by-mkdir$' out
