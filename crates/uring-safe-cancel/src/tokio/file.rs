//! Files that operations hold.

use crate::descriptor::{Descriptor, OpenFile};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;

/// An open file of any kind (regular, pipe, socket, eventfd, tty, …). Clones share the descriptor, and
/// each operation holds one until its final CQE: a number that is closed and used again can never be
/// hit by a late operation. The descriptor is closed with the last clone.
///
/// ```
/// use uring_safe_cancel::tokio::File;
///
/// let (reader, _writer) = std::os::unix::net::UnixStream::pair()?;
/// let file = File::from(reader);
/// let again = file.clone();
/// assert!(file.try_into_owned().is_err(), "a clone holds it");
/// assert!(again.try_into_owned().is_ok());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct File(Arc<OpenFile>);

impl File {
    /// The descriptor itself, or the file again while a clone or an operation holds it.
    pub fn try_into_owned(self) -> Result<OwnedFd, Self> {
        Arc::try_unwrap(self.0).map(OwnedFd::from).map_err(Self)
    }

    pub(super) fn hold(&self) -> Descriptor {
        Descriptor::Held(Arc::clone(&self.0))
    }
}

impl<T: Into<OwnedFd>> From<T> for File {
    fn from(file: T) -> Self {
        Self(Arc::new(file.into().into()))
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_raw_fd()
    }
}
