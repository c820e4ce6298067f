//! What the kernel makes of a cancel, operation by operation, and what the library makes of that.
//!
//! Each row runs on the raw io-uring crate and on the library's ring, side by side, and prints one line:
//!
//! `row: OPERATION, FILE, MODE; kernel: ANSWERS -> RESULT; library: VERDICT after CANCELS, answered ANSWERS`
//!
//! What the library promises is required on every kernel; what the kernel says is required to be one of what
//! that row is known to answer, and on the series that was measured (6.18) exactly what it answered there.
//! `OPERATION_TABLE_WITHOUT` names, by commas, what an environment cannot have (see `environment.rs`).

#[path = "operation_table/children.rs"]
mod children;
#[path = "operation_table/elsewhere.rs"]
mod elsewhere;
#[path = "operation_table/environment.rs"]
mod environment;
#[path = "operation_table/files.rs"]
mod files;
#[path = "operation_table/fuse.rs"]
mod fuse;
#[path = "operation_table/identity.rs"]
mod identity;
#[path = "operation_table/interrupted.rs"]
mod interrupted;
#[path = "operation_table/late_writes.rs"]
mod late_writes;
#[path = "operation_table/liburing.rs"]
mod liburing;
#[path = "operation_table/opening.rs"]
mod opening;
#[path = "operation_table/ours.rs"]
mod ours;
#[path = "operation_table/raw.rs"]
mod raw;
#[path = "operation_table/reuse.rs"]
mod reuse;
#[path = "operation_table/row.rs"]
mod row;
#[path = "operation_table/sources.rs"]
mod sources;
#[path = "operation_table/waits.rs"]
mod waits;
