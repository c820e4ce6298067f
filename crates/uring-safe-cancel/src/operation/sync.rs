use super::{descriptor, Request};
use crate::descriptor::Descriptor;
use crate::kernel::Access;
use io_uring::opcode;
use io_uring::squeue::Entry;
use io_uring::types::{Fd, FsyncFlags};

/// Brings a file's content to the disk, and its metadata unless `data_only`.
#[derive(Debug)]
pub struct Sync {
    /// The file.
    pub descriptor: Descriptor,
    /// fdatasync(2) instead of fsync(2).
    pub data_only: bool,
}

impl Request for Sync {
    const OPCODE: u8 = opcode::Fsync::CODE;
    const SINCE: (u32, u32) = (5, 1);
    const NAME: &'static str = "fsync";
    const ACCESS: Access = Access::Sync;

    fn name(&self) -> &'static str {
        if self.data_only {
            "fdatasync"
        } else {
            Self::NAME
        }
    }

    #[inline(always)]
    fn entry(&self) -> Entry {
        let flags = if self.data_only { FsyncFlags::DATASYNC } else { FsyncFlags::empty() };
        opcode::Fsync::new(Fd(self.descriptor.number())).flags(flags).build()
    }

    descriptor!();
}
