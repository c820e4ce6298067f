//! What a sandbox can forbid, also to a thread that has rings already.

pub mod filter;
