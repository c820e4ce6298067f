//! How operations and rings fail.

use crate::kernel::WorkerLimit;
use crate::memory::ArenaError;
use crate::operation::{VectorsError, MAX_BYTES, MAX_VECTORS};
use crate::real::SetupError;
use crate::ring::Refusal;
use std::io;

/// A result of this module.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation has no result.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The kernel's answer, or a bad argument.
    Io(io::Error),
    /// It was cancelled, and nothing was transferred.
    Cancelled,
    /// The time of [`Ring::timeout`](super::Ring::timeout) was over first, and nothing was
    /// transferred.
    TimedOut,
    /// The ring was destroyed, and the kernel did not let the operation go in the time to drain. Its
    /// memory and its descriptor stay leaked.
    Stuck,
    /// io_uring was forbidden after the ring had been made: the kernel takes nothing of the ring any more, which is
    /// over. Everything ends so, and what the kernel still held stays leaked. The message names reason and remedy.
    Forbidden(SetupError),
    /// The ring is closed or destroyed, or about to be.
    Closed,
    /// As many operations wait as [`Options::queue_limit`](crate::Options::queue_limit) allows.
    QueueFull,
    /// An open that may wait has no worker thread to wait in.
    Workers(WorkerLimit),
    /// There is no core memory for it.
    Arena(ArenaError),
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Cancelled => f.write_str("the operation was cancelled"),
            Self::TimedOut => f.write_str("the operation timed out, and was cancelled"),
            Self::Stuck => {
                f.write_str("the ring was destroyed, and the kernel did not let the operation go")
            }
            Self::Forbidden(error) => error.fmt(f),
            Self::Closed => f.write_str("the ring is closed"),
            Self::QueueFull => f.write_str("the ring's queue is full"),
            Self::Workers(limit) => limit.fmt(f),
            Self::Arena(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io(error) => Some(error),
            Self::Forbidden(error) => Some(error),
            Self::Arena(error) => Some(error),
            _ => None,
        }
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ArenaError> for Error {
    fn from(error: ArenaError) -> Self {
        Self::Arena(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Closed => Self::Closed,
            Refusal::Forbidden(errno) => Self::Forbidden(SetupError::forbidden(errno)),
            Refusal::QueueFull => Self::QueueFull,
            Refusal::Descriptor(error) => Self::Io(error),
            Refusal::Workers(limit) => Self::Workers(limit),
        }
    }
}

impl From<VectorsError> for Error {
    fn from(error: VectorsError) -> Self {
        let text = match error {
            VectorsError::TooMany(count) => {
                format!("{count} buffers, and {MAX_VECTORS} is the limit")
            }
            VectorsError::TooLong(bytes) => {
                format!("{bytes} bytes in all, and {MAX_BYTES} is the limit")
            }
            VectorsError::Arena(error) => return Self::Arena(error),
        };
        Self::Io(io::Error::new(io::ErrorKind::InvalidInput, text))
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Io(_) => {
                let Error::Io(error) = error else { return io::ErrorKind::Other.into() };
                return error;
            }
            // Not `Interrupted`: that one asks to be tried again.
            Error::Cancelled | Error::Stuck => io::ErrorKind::Other,
            Error::TimedOut => io::ErrorKind::TimedOut,
            Error::Forbidden(setup) => setup.error.kind(),
            Error::Closed => io::ErrorKind::NotConnected,
            Error::QueueFull | Error::Workers(_) => io::ErrorKind::QuotaExceeded,
            Error::Arena(_) => io::ErrorKind::OutOfMemory,
        };
        Self::new(kind, error)
    }
}

/// Why there is no ring.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The thread has no tokio runtime.
    NoRuntime,
    /// The kernel gives no ring; the message names reason and remedy.
    Setup(SetupError),
    /// The runtime's reactor does not take the ring's descriptor.
    Reactor(io::Error),
}

impl std::fmt::Display for StartError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoRuntime => f.write_str("a ring needs a tokio runtime on its thread"),
            Self::Setup(error) => error.fmt(f),
            Self::Reactor(error) => write!(f, "the reactor does not watch the ring: {error}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoRuntime => None,
            Self::Setup(error) => Some(error),
            Self::Reactor(error) => Some(error),
        }
    }
}

impl From<StartError> for io::Error {
    fn from(error: StartError) -> Self {
        let kind = match &error {
            StartError::NoRuntime => io::ErrorKind::Other,
            StartError::Setup(setup) => setup.error.kind(),
            StartError::Reactor(reactor) => reactor.kind(),
        };
        Self::new(kind, error)
    }
}
