use crate::operation::Nop;
use crate::tokio::{Operation, Result, Ring};

impl Ring {
    /// Does nothing, by way of the kernel.
    ///
    /// On cancel it usually has completed already.
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::Ring, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// ring.nop().await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn nop(&self) -> Operation<Result<()>> {
        self.start(Ok(Nop), ())
    }
}
