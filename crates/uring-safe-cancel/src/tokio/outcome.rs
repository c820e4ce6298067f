//! What operations yield.

use super::buffer::Buffer;
use super::entry::Settled;
use super::error::{Error, Result};
use crate::machine::Verdict;
use crate::real::SetupError;
use std::io;
use std::os::fd::OwnedFd;

/// What a read or a write yields: how many bytes went, and its buffer (or buffers), which comes back
/// whatever happened. Only a buffer that the kernel may still hold ([`Error::Stuck`], [`Error::Forbidden`])
/// comes back empty.
pub type Transfer<B> = (Result<usize>, B);

/// What an [`Operation`](super::Operation) can yield. Sealed.
pub trait Outcome: sealed::Outcome {}

impl<T: sealed::Outcome> Outcome for T {}

pub(super) mod sealed {
    use super::{OwnedFd, Result};

    pub trait Outcome: Sized {
        /// What stays with the future while the core has the operation.
        type Kept: Unpin;

        fn new(result: Result<i32>, opened: Option<OwnedFd>, kept: Self::Kept) -> Self;
    }
}

impl Settled {
    pub(super) fn into_outcome<T: sealed::Outcome>(self, kept: T::Kept) -> T {
        let result = match self.verdict {
            Verdict::Completed(result) => Ok(result),
            Verdict::Failed(errno) => Err(Error::Io(io::Error::from_raw_os_error(errno))),
            Verdict::Cancelled if self.timed_out => Err(Error::TimedOut),
            Verdict::Cancelled => Err(Error::Cancelled),
            Verdict::Stuck => Err(Error::Stuck),
            Verdict::Forbidden(errno) => Err(Error::Forbidden(SetupError::forbidden(errno))),
        };
        T::new(result, self.opened, kept)
    }
}

fn is_stuck(result: &Result<i32>) -> bool {
    matches!(result, Err(Error::Stuck | Error::Forbidden(_)))
}

/// Completed operations have no negative results.
fn bytes(result: i32) -> usize {
    usize::try_from(result).unwrap_or(0)
}

impl sealed::Outcome for Transfer<Buffer> {
    type Kept = Buffer;

    fn new(result: Result<i32>, _: Option<OwnedFd>, mut kept: Buffer) -> Self {
        if is_stuck(&result) {
            kept = Buffer::gone();
        }
        (result.map(bytes), kept)
    }
}

impl sealed::Outcome for Transfer<Vec<Buffer>> {
    type Kept = Vec<Buffer>;

    fn new(result: Result<i32>, _: Option<OwnedFd>, mut kept: Vec<Buffer>) -> Self {
        if is_stuck(&result) {
            kept.fill_with(Buffer::gone);
        }
        (result.map(bytes), kept)
    }
}

impl sealed::Outcome for Result<()> {
    type Kept = ();

    fn new(result: Result<i32>, _: Option<OwnedFd>, (): ()) -> Self {
        result.map(drop)
    }
}

/// The mask of events of a poll.
impl sealed::Outcome for Result<u32> {
    type Kept = ();

    fn new(result: Result<i32>, _: Option<OwnedFd>, (): ()) -> Self {
        result.map(|mask| mask as u32)
    }
}

/// The descriptor of an open.
impl sealed::Outcome for Result<OwnedFd> {
    type Kept = ();

    fn new(result: Result<i32>, opened: Option<OwnedFd>, (): ()) -> Self {
        // The core makes the descriptor an owned one whenever an open completes.
        result.and_then(|_| opened.ok_or(Error::Io(io::ErrorKind::Other.into())))
    }
}
