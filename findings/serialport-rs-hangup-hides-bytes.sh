#!/usr/bin/env bash
# serialport 4.10.1 (crates.io): when the other side has hung up, the bytes that it had sent before can no longer be read.
#
# Expected: poll(2) reports POLLHUP beside POLLIN while there is data left, and its manual says that later reads return 0
# only once all outstanding data is consumed. So a reader takes the data first, and then learns of the end.
# Happens: the crate takes the answer of poll for readable only if it is POLLIN and nothing else. With POLLIN|POLLHUP every
# read says BrokenPipe, at once, though read(2) on the same descriptor gives the bytes.
# Hurts: simulators and tests on pseudo-terminals (TTYPort::pair, socat), where the last answer of a device that goes away
# is lost or not by chance; also devices whose driver keeps data after a hang-up.
# Instead: on BrokenPipe read the rest with read(2) on as_raw_fd().
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
serialport = { version = "=4.10.1", default-features = false }
libc = "=0.2.191"
E
cat >src/main.rs <<'E'
use serialport::TTYPort;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;

fn main() {
    let (mut port, mut device) = TTYPort::pair().unwrap();
    device.write_all(b"last answer").unwrap();
    drop(device);
    let mut buffer = [0; 64];
    for _ in 0..2 {
        println!("serialport: {:?}", port.read(&mut buffer).map_err(|error| error.kind()));
    }
    let read = unsafe { libc::read(port.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) };
    println!("read(2): {read} bytes, {:?}", String::from_utf8_lossy(&buffer[..read as usize]));
}
E
nice cargo build --quiet 2>&1; grep -A1 -E '^name = "serialport"' Cargo.lock | paste -sd' '
./target/debug/finding | tee out
[ "$(grep -c '^serialport: Err(BrokenPipe)$' out)" = 2 ]
grep -q '^read(2): 11 bytes, "last answer"$' out
