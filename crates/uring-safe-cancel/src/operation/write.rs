use super::MAX_BYTES;
use crate::descriptor::Descriptor;
use crate::kernel::Work;
use crate::memory::Memory;

/// Writes core memory: all of it, at most [`MAX_BYTES`]. The result is how many bytes went.
#[derive(Debug)]
pub struct Write {
    /// The file.
    pub descriptor: Descriptor,
    /// Where the bytes are.
    pub memory: Memory,
    /// Where in the file, in bytes, or [`super::CURRENT_POSITION`].
    pub offset: u64,
}

impl Write {
    #[inline]
    pub(super) fn work(&self) -> Work {
        Work::Write {
            descriptor: self.descriptor.number(),
            address: self.memory.address(),
            length: self.memory.len().min(MAX_BYTES) as u32,
            offset: self.offset,
        }
    }
}
