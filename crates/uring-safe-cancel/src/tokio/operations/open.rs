use crate::operation::Open;
use crate::tokio::{Error, Operation, Result, Ring};
use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

impl Ring {
    /// Opens `path` (relative to the working directory) with `flags` and `mode` as in open(2);
    /// `O_CLOEXEC` is added.
    ///
    /// # Errors
    ///
    /// The kernel's; `InvalidInput` for a path with a NUL in it; [`Error::Arena`]. On cancel,
    /// [`Error::Cancelled`], or the descriptor if it was opened first: one that nobody takes is closed.
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{File, Ring}, Options};
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build_local(Default::default())?
    /// #     .block_on(async {
    /// # let ring = Ring::new(Options::default())?;
    /// let file = File::from(ring.open("/dev/zero", libc::O_RDONLY, 0).await?);
    /// let (read, buffer) = ring.read(&file, ring.alloc(16)?).await;
    /// assert_eq!(buffer[..read?], [0; 16]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn open(
        &self,
        path: impl AsRef<Path>,
        flags: i32,
        mode: u32,
    ) -> Operation<Result<OwnedFd>> {
        let open = CString::new(path.as_ref().as_os_str().as_bytes())
            .map_err(|error| Error::Io(error.into()))
            .and_then(|path| Ok(Open::new(&self.shared().arena, &path, flags, mode)?));
        self.start(open, ())
    }
}
