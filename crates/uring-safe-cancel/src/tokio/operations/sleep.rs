use crate::operation::Sleep;
use crate::tokio::{Operation, Result, Ring};
use std::time::Duration;

impl Ring {
    /// Completes after `time`, by the kernel's timer.
    ///
    /// # Errors
    ///
    /// On cancel, [`Error::Cancelled`](crate::tokio::Error::Cancelled).
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::Ring, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// ring.sleep(std::time::Duration::from_millis(1)).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sleep(&self, time: Duration) -> Operation<Result<()>> {
        self.start(Sleep::new(&self.shared().arena, time).map_err(Into::into), ())
    }
}
