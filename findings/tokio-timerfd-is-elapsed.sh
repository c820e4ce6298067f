#!/usr/bin/env bash
# tokio-timerfd 0.2.0 (crates.io): Delay::is_elapsed() says the opposite.
#
# Expected: its documentation: "Returns true if the Delay has elapsed"; it is made as a replacement of tokio's Sleep with
# a finer clock, whose is_elapsed() does that.
# Happens: it compares the deadline and the time the wrong way round: true as long as the delay runs, false for ever after.
# Hurts: whoever swaps tokio::time::Sleep for it: watchdogs that fire at once, and never when they should.
# Instead: compare deadline() with Instant::now() yourself.
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
tokio-timerfd = "=0.2.0"
tokio = { version = "1", features = ["rt", "time"] }
E
cat >src/main.rs <<'E'
use std::time::{Duration, Instant};

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let deadline = Instant::now() + Duration::from_millis(200);
        let mut delay = tokio_timerfd::Delay::new(deadline).unwrap();
        let sleep = tokio::time::sleep_until(deadline.into());
        tokio::pin!(sleep);
        println!("before: tokio-timerfd {}, tokio {}", delay.is_elapsed(), sleep.is_elapsed());
        (&mut delay).await.unwrap();
        sleep.as_mut().await;
        println!("after: tokio-timerfd {}, tokio {}", delay.is_elapsed(), sleep.is_elapsed());
    });
}
E
nice cargo build --quiet 2>&1; grep -A1 -E '^name = "(tokio-timerfd|tokio)"' Cargo.lock | paste -sd' '
./target/debug/finding | tee out
grep -q '^before: tokio-timerfd true, tokio false$' out
grep -q '^after: tokio-timerfd false, tokio true$' out
