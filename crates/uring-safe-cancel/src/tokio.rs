//! An asynchronous ring for tokio: one for each thread's runtime, driven by readiness of the ring's
//! own descriptor.
//!
//! ```
//! use std::time::Duration;
//! use uring_safe_cancel::tokio::{Error, File, Ring};
//! use uring_safe_cancel::Options;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let runtime = tokio::runtime::Builder::new_current_thread()
//!     .enable_all()
//!     .build_local(Default::default())?;
//! runtime.block_on(async {
//!     let ring = Ring::new(Options::default())?;
//!     let (reader, writer) = std::io::pipe()?;
//!     let (reader, writer) = (File::from(reader), File::from(writer));
//!
//!     // Nobody writes: only a cancel ends this read, and it always does.
//!     let read = ring.read(&reader, ring.alloc(64)?);
//!     let (result, buffer) = read.cancel().await;
//!     assert!(matches!(result, Err(Error::Cancelled)));
//!
//!     // A result that is there before the cancel is delivered, not lost.
//!     let (written, _) = ring.write(&writer, ring.alloc_from(b"hello")?).await;
//!     assert_eq!(written?, 5);
//!     let mut read = ring.read(&reader, buffer);
//!     let (result, buffer) = tokio::select! {
//!         done = &mut read => done,
//!         _ = tokio::time::sleep(Duration::from_secs(1)) => read.cancel().await,
//!     };
//!     assert_eq!(&buffer[..result?], b"hello");
//!     ring.close().await;
//!     Ok(())
//! })
//! # }
//! ```
//!
//! # When the kernel sees an operation
//!
//! Its SQE is queued at the call (`ring.read(…)`), not at the first poll. The ring's driver task hands
//! everything queued to the kernel the next time it runs, which is after the tasks that are ready now:
//! one batch of tasks costs one `io_uring_enter`.
//!
//! # What happens on cancel
//!
//! - [`Operation::cancel`] loses nothing: it yields what really happened, be that
//!   [`Error::Cancelled`] or a result that beat the cancel.
//! - [`Operation::cancel_handle`] does the same from any other thread, by way of the ring that owns the
//!   operation: a cancel issued on another ring would find nothing.
//! - Dropping an [`Operation`] cancels it too, and nobody sees what came of it. The core keeps memory
//!   and descriptor until the final CQE; a result that came after all is counted in
//!   [`Stats::discarded`](crate::Stats::discarded), and a descriptor that was opened is closed.
//!
//! # What it needs
//!
//! A runtime with I/O and time (`enable_all`) on the thread, and, for [`Ring::new`], a
//! [`LocalRuntime`](::tokio::runtime::LocalRuntime) or a [`LocalSet`](::tokio::task::LocalSet) to spawn
//! the driver on. [`Ring::with_driver`] leaves the driving to you.

mod buffer;
mod cancel_handle;
mod driver;
mod entry;
mod error;
mod file;
mod operation;
mod operations;
mod outcome;
mod ring;
mod shared;

pub use buffer::Buffer;
pub use cancel_handle::CancelHandle;
pub use driver::{Driver, DRAIN_TIMEOUT};
pub use error::{Error, Result, StartError};
pub use file::File;
pub use operation::Operation;
pub use outcome::{Outcome, Transfer};
pub use ring::Ring;
