use super::{descriptor, Request, Transfer, MAX_BYTES};
use crate::descriptor::Descriptor;
use crate::kernel::Access;
use crate::memory::Memory;
use io_uring::squeue::Entry;
use io_uring::{opcode, types::Fd};

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

impl Request for Write {
    const OPCODE: u8 = opcode::Write::CODE;
    const SINCE: (u32, u32) = (5, 6);
    const HOT: bool = true;
    const NAME: &'static str = "write";
    const ACCESS: Access = Access::Write;

    #[inline(always)]
    fn entry(&self) -> Entry {
        let length = self.memory.len().min(MAX_BYTES) as u32;
        opcode::Write::new(Fd(self.descriptor.number()), self.memory.address() as *const u8, length)
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
