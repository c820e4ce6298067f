use super::{descriptor, Request, Transfer, MAX_BYTES};
use crate::descriptor::Descriptor;
use crate::kernel::Access;
use crate::memory::{Arena, ArenaError, Memory};
use io_uring::squeue::Entry;
use io_uring::{opcode, types::Fd};

/// How many parts one vectored operation may have (`UIO_MAXIOV`).
pub const MAX_VECTORS: usize = 1024;

/// The parts of a vectored operation, and the array that names them to the kernel.
#[derive(Debug)]
pub struct Vectors {
    /// The parts, in order. Those beyond as many as it was made with are not read or written.
    pub parts: Vec<Memory>,
    /// Where in the file, in bytes, or [`super::CURRENT_POSITION`].
    pub offset: u64,
    array: Memory,
}

/// Why parts make no vectored operation.
#[derive(Debug)]
pub enum VectorsError {
    /// More than [`MAX_VECTORS`].
    TooMany(usize),
    /// More than [`MAX_BYTES`] in all.
    TooLong(usize),
    /// No memory for the array.
    Arena(ArenaError),
}

impl Vectors {
    /// Takes `parts`; their array comes from `arena`.
    pub fn new(arena: &Arena, parts: Vec<Memory>, offset: u64) -> Result<Self, VectorsError> {
        if parts.len() > MAX_VECTORS {
            return Err(VectorsError::TooMany(parts.len()));
        }
        let total = parts.iter().fold(0usize, |sum, part| sum.saturating_add(part.len()));
        if total > MAX_BYTES {
            return Err(VectorsError::TooLong(total));
        }
        let bytes = parts.len().max(1) * size_of::<libc::iovec>();
        let array = arena.allocate_small(bytes).map_err(VectorsError::Arena)?;
        Ok(Self { parts, offset, array })
    }

    /// Whether the parts have no bytes at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.parts.iter().all(|part| part.len() == 0)
    }

    /// How many bytes the parts have that are read or written.
    pub(crate) fn length(&self) -> usize {
        let room = self.array.len() / size_of::<libc::iovec>();
        self.parts.iter().take(room).map(Memory::len).sum()
    }

    /// The address of the array for the kernel, and how many parts it names. It is filled only now,
    /// when the parts are the ring's: until then their owner may have changed them.
    fn array(&self) -> (usize, u32) {
        let room = self.array.len() / size_of::<libc::iovec>();
        let named = self.parts.iter().take(room);
        for (index, part) in named.enumerate() {
            let vector = libc::iovec { iov_base: part.as_mut_ptr().cast(), iov_len: part.len() };
            // SAFETY: the array has room for as many, is aligned for them, and nobody else knows it
            // but the kernel, which does not have this operation while its SQE is made.
            unsafe { self.array.as_mut_ptr().cast::<libc::iovec>().add(index).write(vector) };
        }
        (self.array.address(), self.parts.len().min(room) as u32)
    }
}

/// Reads into several pieces of core memory, one after the other, as one read.
#[derive(Debug)]
pub struct ReadVectored {
    /// The file.
    pub descriptor: Descriptor,
    /// Where the bytes go.
    pub vectors: Vectors,
}

/// Writes several pieces of core memory as one write.
#[derive(Debug)]
pub struct WriteVectored {
    /// The file.
    pub descriptor: Descriptor,
    /// Where the bytes are.
    pub vectors: Vectors,
}

/// What both say of their file and their parts.
macro_rules! vectors {
    () => {
        descriptor!();

        #[inline(always)]
        fn transfer(&self) -> Option<Transfer> {
            Some(Transfer { offset: self.vectors.offset, is_empty: self.vectors.is_empty() })
        }

        #[inline(always)]
        fn length(&self) -> usize {
            self.vectors.length()
        }

        #[inline(always)]
        fn set_offset(&mut self, offset: u64) {
            self.vectors.offset = offset;
        }
    };
}

impl Request for ReadVectored {
    const OPCODE: u8 = opcode::Readv::CODE;
    const SINCE: (u32, u32) = (5, 1);
    const NAME: &'static str = "readv";

    #[inline(always)]
    fn entry(&self) -> Entry {
        let (vectors, count) = self.vectors.array();
        opcode::Readv::new(Fd(self.descriptor.number()), vectors as *const libc::iovec, count)
            .offset(self.vectors.offset)
            .build()
    }

    vectors!();
}

impl Request for WriteVectored {
    const OPCODE: u8 = opcode::Writev::CODE;
    const SINCE: (u32, u32) = (5, 1);
    const NAME: &'static str = "writev";
    const ACCESS: Access = Access::Write;

    #[inline(always)]
    fn entry(&self) -> Entry {
        let (vectors, count) = self.vectors.array();
        opcode::Writev::new(Fd(self.descriptor.number()), vectors as *const libc::iovec, count)
            .offset(self.vectors.offset)
            .build()
    }

    vectors!();
}
