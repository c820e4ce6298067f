use super::Transfer;
use crate::descriptor::Descriptor;
use crate::kernel::Access;
use io_uring::squeue::Entry;

/// What an operation says of itself. The defaults are those of one that has no file, and that a cancel may reach.
pub(crate) trait Request {
    /// Its SQE's code: the probe's list is made of these.
    const OPCODE: u8;
    /// The kernel that brought the code.
    const SINCE: (u32, u32);
    /// As in `syscall` of an error.
    const NAME: &'static str;
    /// What the probe calls its code.
    const PROBED: &'static str = Self::NAME;
    /// Whether it is made so often that its SQE is put into the queue without a call.
    const HOT: bool = false;
    /// What it does with its file.
    const ACCESS: Access = Access::Read;
    /// Whether a cancel may reach it.
    const CANCELLABLE: bool = true;
    /// Whether it may be submitted a second time.
    const REPEATABLE: bool = true;
    /// Whether its result is a descriptor that the kernel made for it.
    const OPENS: bool = false;

    /// Its SQE, but for the tag and the flags, which are the kernel's boundary's.
    fn entry(&self) -> Entry;

    /// Its name, where it has more than one.
    fn name(&self) -> &'static str {
        Self::NAME
    }

    /// The file it works on, if any.
    #[inline(always)]
    fn descriptor(&self) -> Option<&Descriptor> {
        None
    }

    /// The same, to be changed.
    #[inline(always)]
    fn descriptor_mut(&mut self) -> Option<&mut Descriptor> {
        None
    }

    /// What it transfers, if it transfers bytes.
    #[inline(always)]
    fn transfer(&self) -> Option<Transfer> {
        None
    }

    /// How many bytes it would transfer, were there no limit.
    #[inline(always)]
    fn length(&self) -> usize {
        0
    }

    /// The ring knows the position by now.
    #[inline(always)]
    fn set_offset(&mut self, _offset: u64) {}

    /// Whether it needs `IOSQE_ASYNC` to wait as its system call does.
    #[inline(always)]
    fn needs_worker(&self) -> bool {
        false
    }

    /// What the CQE's result means for it.
    #[inline(always)]
    fn translate(&self, result: i32) -> i32 {
        result
    }
}

/// What an operation on one file says of it.
macro_rules! descriptor {
    () => {
        #[inline(always)]
        fn descriptor(&self) -> Option<&Descriptor> {
            Some(&self.descriptor)
        }

        #[inline(always)]
        fn descriptor_mut(&mut self) -> Option<&mut Descriptor> {
            Some(&mut self.descriptor)
        }
    };
}
pub(super) use descriptor;
