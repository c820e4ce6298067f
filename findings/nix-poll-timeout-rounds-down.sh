#!/usr/bin/env bash
# nix 0.31.4 (crates.io): a PollTimeout made of a Duration is rounded down, so that what is left of a wait becomes no wait.
#
# Expected: poll(2): "timeout will be rounded up to the system clock granularity"; a wait never ends early, and a Duration
# that is not zero is a wait. polling, mio and tokio round up to whole milliseconds for that reason.
# What happens: PollTimeout::try_from(Duration) takes as_millis(), which cuts. 999 microseconds are PollTimeout::ZERO ("returns
# immediately"), 1.999 ms are 1 ms, without an error, though the conversion is one that can fail.
# Whom it hurts: the loop `poll(fds, (deadline - now).try_into()?)` spins through the last millisecond of each wait: thousands of
# system calls, a core busy at short periods; and a single poll "with a timeout" of less than 1 ms is none.
# Instead: round up first, Duration::from_millis(d.as_micros().div_ceil(1000) as u64), or use ppoll, which takes nanoseconds.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
nix = { version = "=0.31.4", features = ["poll"] }
E
cat >src/main.rs <<'E'
use nix::poll::{poll, PollTimeout};
use std::time::{Duration, Instant};

fn main() {
    let of = |micros| PollTimeout::try_from(Duration::from_micros(micros)).unwrap();
    println!("999 us: {:?}; 1999 us: {:?}", of(999), of(1999));
    let (start, mut calls) = (Instant::now(), 0u64);
    let deadline = start + Duration::from_micros(20_900);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        poll(&mut [], PollTimeout::try_from(left).unwrap()).unwrap();
        calls += 1;
    }
    println!("a wait of 20.9 ms: {calls} calls of poll in {:?}", start.elapsed());
    std::process::exit(if of(999) == PollTimeout::ZERO && of(1999) == PollTimeout::from(1u8) { 0 } else { 1 });
}
E
nice cargo build --quiet --target-dir target; grep -A1 '^name = "nix"' Cargo.lock | paste -sd' '
./target/debug/finding
