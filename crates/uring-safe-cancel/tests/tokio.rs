//! The contract's clauses on the asynchronous ring.
#![cfg(feature = "tokio")]

#[path = "tokio/bounds.rs"]
mod bounds;
#[path = "tokio/cancel.rs"]
mod cancel;
#[path = "tokio/drops.rs"]
mod drops;
#[path = "tokio/help.rs"]
mod help;
#[path = "tokio/life.rs"]
mod life;
#[path = "tokio/operations.rs"]
mod operations;
#[path = "tokio/threads.rs"]
mod threads;
