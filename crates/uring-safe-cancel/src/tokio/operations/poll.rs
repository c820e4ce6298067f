use crate::operation::Poll;
use crate::tokio::{File, Operation, Result, Ring};

impl Ring {
    /// Waits until one of `events` (a mask as in poll(2), `POLLIN` and so on) holds, and yields the mask
    /// of those that do.
    ///
    /// # Errors
    ///
    /// The kernel's. On cancel, [`Error::Cancelled`](crate::tokio::Error::Cancelled).
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{File, Ring}, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// let (_reader, writer) = std::io::pipe()?;
    /// let writable = libc::POLLOUT as u32;
    /// assert_eq!(ring.poll(&File::from(writer), writable).await?, writable);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn poll(&self, file: &File, events: u32) -> Operation<Result<u32>> {
        self.start(Ok(Poll { descriptor: file.hold(), events }), ())
    }
}
