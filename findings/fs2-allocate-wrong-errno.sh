#!/usr/bin/env bash
# fs2 0.4.3 (crates.io, Linux): when allocate() fails, its error is the one of some earlier call, or "Success".
#
# Expected: FileExt::allocate returns why the space could not be had: ENOSPC, EBADF for a file that is open for reading, and so on.
# What happens: it calls posix_fallocate(3), which returns its error and leaves errno alone, and then reports errno. That holds
# whatever failed last in this thread: NotFound, if a file was looked for in vain before, or "Success (os error 0)" if nothing
# was. Here the file is open for reading only; rustix, asked for the same, says EBADF.
# Whom it hurts: databases and downloaders that reserve space and act on StorageFull: a full disk is reported as a missing file,
# or as an error that is none; retries and messages are for the wrong cause. Tests on a fresh process see another error than
# production does.
# Instead: rustix::fs::fallocate, or libc::posix_fallocate with its return value.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
fs2 = "=0.4.3"
rustix = { version = "=1.1.6", features = ["fs"] }
E
cat >src/main.rs <<'E'
use std::{fs::File, io};

fn allocate() -> io::Error {
    let file = File::open("Cargo.toml").unwrap();
    fs2::FileExt::allocate(&file, 4096).unwrap_err()
}

fn main() {
    let fresh = std::thread::spawn(allocate).join().unwrap();
    println!("fs2, in a thread in which nothing has failed: {fresh}");
    let missing = File::open("not-there").unwrap_err();
    let stale = allocate();
    println!("fs2, after a file was not found: {stale} ({:?})", stale.kind());
    let file = File::open("Cargo.toml").unwrap();
    let right = io::Error::from(rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, 4096).unwrap_err());
    println!("rustix: {right}");
    let good = fresh.raw_os_error() == Some(0) && stale.raw_os_error() == missing.raw_os_error() && right.raw_os_error() == Some(9);
    std::process::exit(if good { 0 } else { 1 });
}
E
nice cargo build --quiet --target-dir target; grep -A1 -E '^name = "(fs2|rustix)"' Cargo.lock | grep -v ^-- | paste -sd' '; getconf GNU_LIBC_VERSION
./target/debug/finding
