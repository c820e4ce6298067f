use super::MAX_BYTES;
use crate::descriptor::Descriptor;
use crate::kernel::Work;
use crate::memory::Memory;

/// Reads into core memory: as many bytes as it has, at most [`MAX_BYTES`]. The result is how many came.
#[derive(Debug)]
pub struct Read {
    /// The file.
    pub descriptor: Descriptor,
    /// Where the bytes go.
    pub memory: Memory,
    /// Where in the file, in bytes, or [`super::CURRENT_POSITION`].
    pub offset: u64,
}

impl Read {
    #[inline]
    pub(super) fn work(&self) -> Work {
        Work::Read {
            descriptor: self.descriptor.number(),
            address: self.memory.address(),
            length: self.memory.len().min(MAX_BYTES) as u32,
            offset: self.offset,
        }
    }
}
