#!/usr/bin/env bash
# tokio-eventfd 0.2.2 (crates.io): an EventFd is closed on exec, its clone is not, and every child inherits it.
#
# Expected: a clone is as its original, as try_clone of std is (it asks for FD_CLOEXEC again). EventFd::new sets EFD_CLOEXEC.
# What happens: try_clone uses dup(2), which clears the flag on the copy, and does not set it again.
# Whom it hurts: programs that start children: each child holds the event. A child that closes or reads unknown descriptors, or
# one that merely lives on, keeps it; and number-for-number descriptor passing (systemd, "fd 3") finds another one there.
# Instead: set FD_CLOEXEC on as_raw_fd() of each clone, or share one EventFd in an Arc.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
tokio-eventfd = "=0.2.2"
tokio = { version = "1", features = ["net", "rt"] }
E
cat >src/main.rs <<'E'
use std::process::Command;

fn child_holds() -> usize {
    let output = Command::new("ls").args(["-l", "/proc/self/fd"]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).matches("anon_inode:[eventfd]").count()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let event = tokio_eventfd::EventFd::new(0, false).unwrap();
    let before = child_holds();
    let _clone = event.try_clone().unwrap();
    let after = child_holds();
    println!("events that a child inherits: {before} with an EventFd, {after} with its clone too");
    std::process::exit(if before == 0 && after == 1 { 0 } else { 1 });
}
E
nice cargo build --quiet --target-dir target; grep -A1 '^name = "tokio-eventfd"' Cargo.lock | paste -sd' '
./target/debug/finding
