#!/usr/bin/env bash
# filedescriptor 0.8.3 (crates.io, Linux): poll() with a timeout of 4294967.4 s, 49.7 days, comes back after 0.1 s.
#
# Expected: a wait is as long as its Duration, or there is an error, or it is cut to the longest that poll(2) can (24.8 days).
# What happens: of the milliseconds only the lowest 32 bits are used. 4294967400 ms (49.7 days) are 104 ms. What lies between 2^31 and
# 2^32 ms is negative, which poll(2) takes as "without end"; that part is not shown here.
# Whom it hurts: who writes "practically never" as a long Duration: a month, a quarter, a year. With some values the loop sees
# a time-out at once, over and over; with others it has none, where one was counted on.
# Instead: pass min(duration, 24 days), or None.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
filedescriptor = "=0.8.3"
E
cat >src/main.rs <<'E'
use filedescriptor::{poll, pollfd, AsRawSocketDescriptor, Pipe, POLLIN};
use std::time::{Duration, Instant};

fn main() {
    let pipe = Pipe::new().unwrap(); // nobody writes to it
    let wait = |duration| {
        let start = Instant::now();
        let ready = poll(&mut [pollfd { fd: pipe.read.as_socket_descriptor(), events: POLLIN, revents: 0 }], Some(duration)).unwrap();
        println!("a wait of {duration:?}: {ready} ready after {:?}", start.elapsed());
        (ready, start.elapsed())
    };
    let (right, wrapped) = (wait(Duration::from_millis(104)), wait(Duration::from_millis((1 << 32) + 104)));
    let short = |(ready, elapsed): (usize, Duration)| ready == 0 && elapsed >= Duration::from_millis(100) && elapsed < Duration::from_secs(60);
    std::process::exit(if short(right) && short(wrapped) { 0 } else { 1 });
}
E
nice cargo build --quiet --target-dir target; grep -A1 -E '^name = "filedescriptor"' Cargo.lock | paste -sd' '; echo "Linux $(uname -r)"
timeout 120 ./target/debug/finding
