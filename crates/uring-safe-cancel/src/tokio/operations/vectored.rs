use super::offset;
use crate::operation::{ReadVectored, Vectors, WriteVectored};
use crate::tokio::{Buffer, File, Operation, Result, Ring, Transfer};

impl Ring {
    /// Reads into several buffers, one after the other, as one read. `at`: how many bytes into the file,
    /// or `None` for the current position.
    ///
    /// # Errors
    ///
    /// As [`Ring::read_at`]; and `InvalidInput` for more than 1024 buffers, or more than 2 GiB less a
    /// page in all. The buffers come back.
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{File, Ring}, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// # let path = std::env::temp_dir().join(format!("uring-readv-{}", std::process::id()));
    /// # std::fs::write(&path, "headbody")?;
    /// let file = File::from(std::fs::File::open(&path)?);
    /// let buffers = vec![ring.alloc(4)?, ring.alloc(8)?];
    /// let (read, buffers) = ring.readv(&file, buffers, Some(0)).await;
    /// assert_eq!((read?, &*buffers[0], &buffers[1][..4]), (8, &b"head"[..], &b"body"[..]));
    /// # std::fs::remove_file(path)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn readv(
        &self,
        file: &File,
        buffers: Vec<Buffer>,
        at: Option<u64>,
    ) -> Operation<Transfer<Vec<Buffer>>> {
        let read = self
            .vectors(&buffers, at)
            .map(|vectors| ReadVectored { descriptor: file.hold(), vectors });
        self.start(read, buffers)
    }

    /// Writes several buffers as one write. `at`: how many bytes into the file, or `None` for the
    /// current position.
    ///
    /// # Errors
    ///
    /// As [`Ring::write_at`]; and `InvalidInput` for more than 1024 buffers, or more than 2 GiB less a
    /// page in all. The buffers come back.
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{File, Ring}, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// let (_reader, writer) = std::io::pipe()?;
    /// let buffers = vec![ring.alloc_from(b"head")?, ring.alloc_from(b"body")?];
    /// let (written, _) = ring.writev(&File::from(writer), buffers, None).await;
    /// assert_eq!(written?, 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn writev(
        &self,
        file: &File,
        buffers: Vec<Buffer>,
        at: Option<u64>,
    ) -> Operation<Transfer<Vec<Buffer>>> {
        let write = self
            .vectors(&buffers, at)
            .map(|vectors| WriteVectored { descriptor: file.hold(), vectors });
        self.start(write, buffers)
    }

    fn vectors(&self, buffers: &[Buffer], at: Option<u64>) -> Result<Vectors> {
        let arena = &self.shared().arena;
        let offset = offset(at)?;
        let parts = buffers.iter().map(|buffer| buffer.lend(arena)).collect::<Result<_, _>>()?;
        Ok(Vectors::new(arena, parts, offset)?)
    }
}
