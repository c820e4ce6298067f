#!/usr/bin/env bash
# tokio-uring 0.5.0 (crates.io, Linux): after accept() was dropped, the next client is accepted into a descriptor that nobody has.
#
# Expected: as with tokio::net::TcpListener, whose accept is documented as cancel safe: if a timeout or select! drops the future,
# the next accept() gets the connection.
# What happens: dropping the future does not cancel the operation in the kernel. It stays there, first in the queue, takes the
# next connection, and its result is thrown away: a number, so that nothing closes it. The client is connected, and waits; the
# descriptor stays open until the process ends; each timeout without a client loses one more. accept() itself gets nothing.
# Whom it hurts: `timeout(..., listener.accept())` in a loop, or select! with a shutdown signal: one client lost for each turn,
# which looks like a network that drops connections, then "too many open files".
# Instead: call accept() in a task of its own that is never dropped, and hand connections on through a channel.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
tokio-uring = "=0.5.0"
tokio = { version = "1", features = ["net", "rt", "time"] }
E
cat >src/main.rs <<'E'
use std::{fs, net::TcpStream, time::Duration};
use tokio::time::{sleep, timeout};

const SHORT: Duration = Duration::from_millis(100);
fn descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn main() {
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plain = tokio.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _ = timeout(SHORT, listener.accept()).await;
        let _client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        timeout(SHORT * 5, listener.accept()).await.is_ok()
    });
    println!("tokio: accept timed out, a client connected, the next accept got it: {plain}");
    let (first, second, left) = tokio_uring::start(async {
        let listener = tokio_uring::net::TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let _ = timeout(SHORT, listener.accept()).await;
        let before = descriptors();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sleep(SHORT).await;
        let first = timeout(SHORT * 5, listener.accept()).await.is_ok();
        drop(client);
        let left = descriptors() - before;
        // The accept that timed out just now waits in the kernel too, and takes the second client.
        let _second = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let second = timeout(SHORT * 5, listener.accept()).await.is_ok();
        (first, second, left)
    });
    println!("tokio-uring, the same: {first}, and for a second client: {second}; the first client has gone, descriptors left: {left}");
    std::process::exit(if plain && !first && !second && left == 1 { 0 } else { 1 });
}
E
nice cargo build --quiet --target-dir target; grep -A1 -E '^name = "(tokio|tokio-uring)"' Cargo.lock | grep -v ^-- | paste -sd' '; echo "Linux $(uname -r)"
./target/debug/finding
