use super::offset;
use crate::operation::Write;
use crate::tokio::{Buffer, File, Operation, Ring, Transfer};

impl Ring {
    /// Writes `buffer` at the file's current position, if it has one. Yields how many bytes went, which
    /// may be fewer, and the buffer. Of one descriptor
    /// of a seekable file, operations at the current position run one after the other.
    ///
    /// # Errors
    ///
    /// The kernel's; the buffer comes back. On cancel
    /// [`Error::Cancelled`](crate::tokio::Error::Cancelled): nothing was written. If some bytes were,
    /// their count comes instead.
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{File, Ring}, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// let (mut reader, writer) = std::io::pipe()?;
    /// let (written, buffer) = ring.write(&File::from(writer), ring.alloc_from(b"hello")?).await;
    /// assert_eq!((written?, &*buffer), (5, &b"hello"[..]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(&self, file: &File, buffer: Buffer) -> Operation<Transfer<Buffer>> {
        self.write_to(file, buffer, None)
    }

    /// Writes `buffer` from `at` bytes into the file on; the current position stays.
    ///
    /// # Errors
    ///
    /// As [`Ring::write`], and `EINVAL` for an offset beyond what a file can have (`i64::MAX`).
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{File, Ring}, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// # let path = std::env::temp_dir().join(format!("uring-write-{}", std::process::id()));
    /// let file = File::from(std::fs::File::create(&path)?);
    /// let (written, _) = ring.write_at(&file, ring.alloc_from(b"end")?, 2).await;
    /// assert_eq!(written?, 3);
    /// assert_eq!(std::fs::read(&path)?, b"\0\0end");
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_at(&self, file: &File, buffer: Buffer, at: u64) -> Operation<Transfer<Buffer>> {
        self.write_to(file, buffer, Some(at))
    }

    fn write_to(
        &self,
        file: &File,
        buffer: Buffer,
        at: Option<u64>,
    ) -> Operation<Transfer<Buffer>> {
        let write = offset(at).and_then(|offset| {
            let memory = buffer.lend(&self.shared().arena)?;
            Ok(Write { descriptor: file.hold(), memory, offset })
        });
        self.start(write, buffer)
    }
}
