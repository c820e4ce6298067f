use super::offset;
use crate::operation::Read;
use crate::tokio::{Buffer, File, Operation, Ring, Transfer};

impl Ring {
    /// Reads into `buffer` what the file gives, at its current position if it has one. Yields how many
    /// bytes came, and the buffer. Of one descriptor
    /// of a seekable file, operations at the current position run one after the other.
    ///
    /// # Errors
    ///
    /// The kernel's; the buffer comes back. On cancel
    /// [`Error::Cancelled`](crate::tokio::Error::Cancelled), or the bytes if they came first.
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{File, Ring}, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// let file = File::from(std::fs::File::open("/dev/zero")?);
    /// let (read, buffer) = ring.read(&file, ring.alloc(16)?).await;
    /// assert_eq!(buffer[..read?], [0; 16]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read(&self, file: &File, buffer: Buffer) -> Operation<Transfer<Buffer>> {
        self.read_from(file, buffer, None)
    }

    /// Reads into `buffer` from `at` bytes into the file on; the current position stays.
    ///
    /// # Errors
    ///
    /// As [`Ring::read`], and `EINVAL` for an offset beyond what a file can have (`i64::MAX`).
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{File, Ring}, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// # let path = std::env::temp_dir().join(format!("uring-read-{}", std::process::id()));
    /// # std::fs::write(&path, "0123456789")?;
    /// let file = File::from(std::fs::File::open(&path)?);
    /// let (read, buffer) = ring.read_at(&file, ring.alloc(16)?, 4).await;
    /// assert_eq!(&buffer[..read?], b"456789");
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_at(&self, file: &File, buffer: Buffer, at: u64) -> Operation<Transfer<Buffer>> {
        self.read_from(file, buffer, Some(at))
    }

    fn read_from(
        &self,
        file: &File,
        buffer: Buffer,
        at: Option<u64>,
    ) -> Operation<Transfer<Buffer>> {
        let read = offset(at).and_then(|offset| {
            let memory = buffer.lend(&self.shared().arena)?;
            Ok(Read { descriptor: file.hold(), memory, offset })
        });
        self.start(read, buffer)
    }
}
