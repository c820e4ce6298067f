use super::Request;
use crate::memory::{Arena, ArenaError, Memory};
use io_uring::squeue::Entry;
use io_uring::{opcode, types::Fd};
use std::ffi::CStr;

/// Opens a path, close-on-exec. The result is a descriptor, which its client gets or which is closed.
#[derive(Debug)]
pub struct Open {
    path: Memory,
    flags: i32,
    mode: u32,
}

impl Open {
    /// Opens `path` (relative to the working directory) with `flags` and `mode` as in open(2);
    /// `O_CLOEXEC` is added.
    pub fn new(arena: &Arena, path: &CStr, flags: i32, mode: u32) -> Result<Self, ArenaError> {
        let bytes = path.to_bytes_with_nul();
        let memory = arena.allocate_small(bytes.len())?;
        // SAFETY: the memory was just allocated with room for the bytes, and nobody else knows it.
        unsafe { memory.as_mut_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
        Ok(Self { path: memory, flags: flags | libc::O_CLOEXEC, mode })
    }

    /// The path.
    pub(crate) fn path(&self) -> &CStr {
        // SAFETY: the memory is the operation's own, and ends with the NUL that `new` put there.
        unsafe { CStr::from_ptr(self.path.as_mut_ptr().cast()) }
    }

    /// The flags, as in open(2).
    pub(crate) fn flags(&self) -> i32 {
        self.flags
    }

    /// Whether it only names the file (`O_PATH`), which asks no driver and no server.
    #[inline]
    fn only_names(&self) -> bool {
        self.flags & libc::O_PATH != 0
    }
}

impl Request for Open {
    const OPCODE: u8 = opcode::OpenAt::CODE;
    const SINCE: (u32, u32) = (5, 6);
    const NAME: &'static str = "open";
    const OPENS: bool = true;

    #[inline(always)]
    fn entry(&self) -> Entry {
        opcode::OpenAt::new(Fd(libc::AT_FDCWD), self.path.address() as *const libc::c_char)
            .flags(self.flags)
            .mode(self.mode)
            .build()
    }

    #[inline(always)]
    fn needs_worker(&self) -> bool {
        !self.only_names()
    }
}
