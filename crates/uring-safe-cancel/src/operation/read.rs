use super::{descriptor, Request, Transfer, MAX_BYTES};
use crate::descriptor::Descriptor;
use crate::memory::Memory;
use io_uring::squeue::Entry;
use io_uring::{opcode, types::Fd};

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

impl Request for Read {
    const OPCODE: u8 = opcode::Read::CODE;
    const SINCE: (u32, u32) = (5, 6);
    const HOT: bool = true;
    const NAME: &'static str = "read";

    #[inline(always)]
    fn entry(&self) -> Entry {
        let length = self.memory.len().min(MAX_BYTES) as u32;
        opcode::Read::new(Fd(self.descriptor.number()), self.memory.address() as *mut u8, length)
            .offset(self.offset)
            .build()
    }

    descriptor!();

    #[inline(always)]
    fn transfer(&self) -> Option<Transfer> {
        Some(Transfer { offset: self.offset, is_empty: self.memory.is_empty() })
    }

    #[inline(always)]
    fn length(&self) -> usize {
        self.memory.len()
    }

    #[inline(always)]
    fn set_offset(&mut self, offset: u64) {
        self.offset = offset;
    }
}
