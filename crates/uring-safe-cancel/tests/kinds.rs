//! Terminals, direct I/O and waiting opens on the asynchronous ring: no descriptor holds the thread, whatever its kind.
#![cfg(feature = "tokio")]

#[path = "kinds/direct.rs"]
mod direct;
#[path = "kinds/opens.rs"]
mod opens;
#[path = "kinds/terminal.rs"]
mod terminal;

use std::future::Future;
use std::time::{Duration, Instant};
use uring_safe_cancel::tokio::Ring;
use uring_safe_cancel::Options;

/// Longer than any machine takes, however loaded.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long the other end holds whoever waits for it. After that it lets go, so that a test of a ring that waits ends.
const HOLD: Duration = Duration::from_secs(4);

/// A machine that is busy with something else keeps a thread for less.
const LONGEST_GAP: Duration = Duration::from_secs(1);

fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = ::tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(Default::default())
        .unwrap();
    runtime.block_on(async { ::tokio::time::timeout(PATIENCE, test).await.expect("it hangs") })
}

fn ring() -> Ring {
    Ring::new(Options::default()).unwrap()
}

/// Runs `what` beside a timer, and fails if the thread stood still.
async fn is_free<T>(what: impl Future<Output = T>) -> T {
    let mut longest = Duration::ZERO;
    let mut last = Instant::now();
    let watch = async {
        loop {
            ::tokio::time::sleep(Duration::from_millis(10)).await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
    };
    let result = ::tokio::select! {
        biased;
        result = what => result,
        () = watch => unreachable!("it has no end"),
    };
    longest = longest.max(last.elapsed());
    println!("the thread stood still for {} ms at most", longest.as_millis());
    assert!(longest < LONGEST_GAP, "the thread stood still for {longest:?}");
    result
}

/// Waits until nothing is under way on a ring.
async fn until_idle(ring: &Ring) {
    while ring.stats().in_flight + ring.stats().queued > 0 {
        ::tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
