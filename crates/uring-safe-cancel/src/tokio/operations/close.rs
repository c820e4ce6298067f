use crate::operation::Close;
use crate::tokio::{Operation, Result, Ring};
use std::os::fd::{IntoRawFd, OwnedFd};

impl Ring {
    /// Closes a descriptor. It is closed in any case: no cancel reaches a close, dropping the future
    /// changes nothing, and a ring that takes no more operations closes it on the spot, as close(2)
    /// would. For a [`File`](crate::tokio::File), see
    /// [`File::try_into_owned`](crate::tokio::File::try_into_owned).
    ///
    /// # Errors
    ///
    /// The kernel's, as close(2) has them; the descriptor is closed even so.
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::Ring, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// let (reader, _writer) = std::io::pipe()?;
    /// ring.close_fd(reader).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn close_fd(&self, descriptor: impl Into<OwnedFd>) -> Operation<Result<()>> {
        self.start(Ok(Close::new(descriptor.into().into_raw_fd())), ())
    }
}
