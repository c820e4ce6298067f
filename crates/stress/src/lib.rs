//! The stress test that replicates the report of 2022 to the io_uring list, on tokio.
//!
//! N threads, each with a current-thread runtime and a private ring, share N blocking eventfds. In each
//! round thread n reads eventfds n and n+1, writes eventfd n+2, awaits the write, cancels both reads and
//! awaits everything. The report found that a read may never complete, whatever its cancel answered.
//!
//! [`Mode::Raw`] trusts one cancel, as the report did, and counts what is lost. [`Mode::Safe`] is the
//! library, which must lose nothing. Every run checks that nothing was lost or invented:
//! see [`conservation`].

pub mod arguments;
pub mod conservation;
pub mod eventfd;
pub mod histogram;
pub mod json;
pub mod program;
pub mod progress;
pub mod run;
pub mod scenario;
pub mod table;
pub mod tally;
pub mod worker;

pub use run::{run, run_on, Report};
pub use scenario::{Limit, Mode, Scenario};
