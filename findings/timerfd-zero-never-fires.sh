#!/usr/bin/env bash
# timerfd 1.6.0 (crates.io): Oneshot(Duration::ZERO) does not fire at once but never.
#
# Expected: its documentation of TimerState::Oneshot: "The timer will fire once after the specified duration and then disarm". So
# one of no time fires at once, as a sleep of zero does in std, tokio and async-io.
# What happens: the duration goes to timerfd_settime(2) as it is, where zero means "disarm". set_state has no error for it, and
# get_state says Disarmed. The nearest other value, a nanosecond, fires.
# Whom it hurts: event loops that set what is left until a deadline, deadline.saturating_duration_since(now): if the deadline has
# passed already (a busy machine, a breakpoint), that one timer never comes, and the loop waits for it without end.
# Instead: max(duration, Duration::from_nanos(1)).
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
timerfd = "=1.6.0"
E
cat >src/main.rs <<'E'
use std::{thread::sleep, time::Duration};
use timerfd::{ClockId, SetTimeFlags, TimerFd, TimerState};

fn expirations(duration: Duration) -> (String, u64) {
    let mut timer = TimerFd::new_custom(ClockId::Monotonic, true, true).unwrap(); // O_NONBLOCK: read says 0 where it would wait
    timer.set_state(TimerState::Oneshot(duration), SetTimeFlags::Default);
    let state = format!("{:?}", timer.get_state());
    sleep(Duration::from_millis(100));
    (state, timer.read())
}

fn main() {
    let (zero, nanosecond) = (expirations(Duration::ZERO), expirations(Duration::from_nanos(1)));
    println!("Oneshot(0): then {}, after 100 ms it has fired {} times", zero.0, zero.1);
    println!("Oneshot(1 ns): after 100 ms it has fired {} times", nanosecond.1);
    std::process::exit(if zero == ("Disarmed".into(), 0) && nanosecond.1 == 1 { 0 } else { 1 });
}
E
nice cargo build --quiet --target-dir target; grep -A1 '^name = "timerfd"' Cargo.lock | paste -sd' '
./target/debug/finding
