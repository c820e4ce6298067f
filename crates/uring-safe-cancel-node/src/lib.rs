//! The Node-API binding: numbers in, completions out.
//!
//! The hot path is raw Node-API (`calls`): JavaScript gives each operation an id and submits it with
//! numbers only; `ring::NodeRing` writes (id, result, status, attempts) of whatever completed into an
//! array that it shares with JavaScript, which settles the promises itself. What is not hot
//! (`exports`) goes by napi-rs.

// Where napi-derive registers nothing, nothing is called.
#![cfg_attr(test, allow(dead_code))]

mod arguments;
mod budget;
mod calls;
mod completions;
mod delivery;
mod exports;
mod protocol;
mod regions;
mod ring;
mod teardown;
mod waker;
