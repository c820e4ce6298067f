use crate::descriptor::Descriptor;
use crate::kernel::Work;

/// Brings a file's content to the disk, and its metadata unless `data_only`.
#[derive(Debug)]
pub struct Sync {
    /// The file.
    pub descriptor: Descriptor,
    /// fdatasync(2) instead of fsync(2).
    pub data_only: bool,
}

impl Sync {
    pub(super) fn name(&self) -> &'static str {
        if self.data_only {
            "fdatasync"
        } else {
            "fsync"
        }
    }

    #[inline]
    pub(super) fn work(&self) -> Work {
        Work::Sync { descriptor: self.descriptor.number(), data_only: self.data_only }
    }
}
