use crate::operation::Sync;
use crate::tokio::{File, Operation, Result, Ring};

impl Ring {
    /// Brings the file's content and metadata to the disk.
    ///
    /// # Errors
    ///
    /// The kernel's. On cancel [`Error::Cancelled`](crate::tokio::Error::Cancelled) if it had not
    /// begun; once begun it completes.
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{File, Ring}, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// # let path = std::env::temp_dir().join(format!("uring-fsync-{}", std::process::id()));
    /// let file = File::from(std::fs::File::create(&path)?);
    /// ring.fsync(&file).await?;
    /// ring.fdatasync(&file).await?;
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fsync(&self, file: &File) -> Operation<Result<()>> {
        self.start(Ok(Sync { descriptor: file.hold(), data_only: false }), ())
    }

    /// Brings the file's content to the disk, and of its metadata only what reading it back needs.
    ///
    /// Errors, cancel and example as for [`Ring::fsync`].
    pub fn fdatasync(&self, file: &File) -> Operation<Result<()>> {
        self.start(Ok(Sync { descriptor: file.hold(), data_only: true }), ())
    }
}
