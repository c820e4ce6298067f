#!/usr/bin/env bash
# serialport 4.10.1 (crates.io, Linux): a read or write lets the signals through that the thread has blocked.
#
# Expected: a signal that is blocked with pthread_sigmask(3) stays pending until it is unblocked or taken by sigwait(3) or a
# signalfd(2). A library that reads with a timeout leaves the mask alone; poll(2) would.
# Happens: it waits with ppoll(2), and gives it an empty mask instead of none. While a read, write or write_all waits, every
# signal is open, whatever the thread has blocked: handlers run in that thread, the default action (of SIGTERM: the end of
# the process) happens, and a signalfd never sees the signal. The read itself ends with Interrupted.
# Hurts: services that block SIGTERM, SIGINT or SIGHUP in all threads to take them in one place: they die without their
# clean-up, if the signal comes while a port is waited for, which is nearly always.
# Instead: wait with poll(2) of your own on the port's descriptor before each read, then read (it waits no more).
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
use serialport::{SerialPort, TTYPort};
use std::io::Read;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

static HANDLED: AtomicUsize = AtomicUsize::new(0);
extern "C" fn handle(_: libc::c_int) {
    HANDLED.fetch_add(1, SeqCst);
}

fn main() {
    let (mut port, _other_side) = TTYPort::pair().unwrap();
    port.set_timeout(Duration::from_millis(300)).unwrap();
    unsafe {
        libc::signal(libc::SIGUSR1, handle as *const () as usize);
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigaddset(&mut set, libc::SIGUSR1);
        libc::pthread_sigmask(libc::SIG_BLOCK, &set, std::ptr::null_mut());
        libc::raise(libc::SIGUSR1);
        let mut fd = libc::pollfd { fd: -1, events: 0, revents: 0 };
        libc::poll(&mut fd, 1, 100);
    }
    println!("blocked, sent, and poll(2) waited: handled {}", HANDLED.load(SeqCst));
    let error = port.read(&mut [0; 16]).unwrap_err();
    println!("after a read of serialport ({:?}): handled {}", error.kind(), HANDLED.load(SeqCst));
}
E
nice cargo build --quiet 2>&1; grep -A1 -E '^name = "(serialport|nix)"' Cargo.lock | paste -sd' '
./target/debug/finding | tee out
grep -q '^blocked, sent, and poll(2) waited: handled 0$' out
grep -q '^after a read of serialport (Interrupted): handled 1$' out
