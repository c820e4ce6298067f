//! What a client can ask for, one small file each. An operation owns what its SQE points to.

mod close;
mod nop;
mod open;
mod poll;
mod read;
mod request;
mod sleep;
mod sync;
mod vectored;
mod write;

pub use vectored::{Vectors, VectorsError, MAX_VECTORS};

use request::descriptor;
pub(crate) use request::Request;

use crate::descriptor::Descriptor;
use crate::kernel::{Access, Kernel, QueueFull};
use crate::tag::Tag;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

/// The most bytes that Linux reads or writes at once (`MAX_RW_COUNT`).
pub const MAX_BYTES: usize = 0x7fff_f000;
/// The offset that means the file's current position.
pub const CURRENT_POSITION: u64 = u64::MAX;

/// What a read or a write transfers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Transfer {
    /// Where in the file, or [`CURRENT_POSITION`].
    pub(crate) offset: u64,
    /// No bytes at all.
    pub(crate) is_empty: bool,
}

/// The enum of all operations, and what each says of itself, asked of whichever it is. A line is `file::Name(holder)`.
macro_rules! operations {
    ($($file:ident::$name:ident($holder:ty),)*) => {
        $(pub use $file::$name;)*

        /// An operation, with all that the kernel needs of it.
        #[derive(Debug)]
        // A tag of one byte would have the rest copied from the second byte on, in pieces that lie across what was written before:
        // each waits until that has left the processor's store buffer.
        #[repr(u64)]
        pub enum Operation {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($holder),
            )*
        }

        /// What the probe calls the code of each, the code, and the kernel that brought it.
        pub(crate) const CODES: &[(&str, u8, (u32, u32))] =
            &[$((<$name>::PROBED, <$name>::OPCODE, <$name>::SINCE)),*];

        $(
            impl From<$name> for Operation {
                #[inline]
                fn from(operation: $name) -> Self {
                    Self::$name(operation.into())
                }
            }
        )*

        impl Operation {
            /// Its name, as in `syscall` of an error.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(request) => request.name(),)*
                }
            }

            /// Puts its SQE into the queue: each kind by itself, because an entry that several branches make is put together in
            /// memory, and copied from there before it has arrived.
            ///
            /// # Safety
            ///
            /// As for [`Kernel::queue`]: the operation stays where it is until its final CQE.
            #[inline(always)]
            pub(crate) unsafe fn queue<K: Kernel>(
                &self,
                kernel: &mut K,
                tag: Tag,
                asynchronous: bool,
            ) -> Result<(), QueueFull> {
                match self {
                    $(Self::$name(request) => {
                        let entry = request.entry();
                        // SAFETY: the caller vouches for the operation's memory, which is all that the entry points to.
                        unsafe {
                            if <$name>::HOT {
                                kernel.queue_entry(tag, entry, asynchronous)
                            } else {
                                kernel.queue_rare(tag, entry, asynchronous)
                            }
                        }
                    })*
                }
            }

            /// The file it works on, if any. A close only names one: it holds none.
            #[inline]
            pub fn descriptor(&self) -> Option<&Descriptor> {
                match self {
                    $(Self::$name(request) => request.descriptor(),)*
                }
            }

            pub(crate) fn descriptor_mut(&mut self) -> Option<&mut Descriptor> {
                match self {
                    $(Self::$name(request) => request.descriptor_mut(),)*
                }
            }

            /// What it transfers, if it transfers bytes.
            #[inline(always)]
            pub(crate) fn transfer(&self) -> Option<Transfer> {
                match self {
                    $(Self::$name(request) => request.transfer(),)*
                }
            }

            /// How many bytes it transfers at most.
            pub(crate) fn length(&self) -> usize {
                let length = match self {
                    $(Self::$name(request) => request.length(),)*
                };
                length.min(MAX_BYTES)
            }

            /// The ring knows the position by now.
            pub(crate) fn set_offset(&mut self, offset: u64) {
                match self {
                    $(Self::$name(request) => request.set_offset(offset),)*
                }
            }

            /// What it does with its file.
            #[inline]
            pub(crate) fn access(&self) -> Access {
                match self {
                    $(Self::$name(_) => <$name>::ACCESS,)*
                }
            }

            /// Whether a cancel may reach it. A close, once asked for, always closes.
            pub fn is_cancellable(&self) -> bool {
                match self {
                    $(Self::$name(_) => <$name>::CANCELLABLE,)*
                }
            }

            /// Whether it may be submitted a second time.
            #[inline]
            pub(crate) fn is_repeatable(&self) -> bool {
                match self {
                    $(Self::$name(_) => <$name>::REPEATABLE,)*
                }
            }

            /// Whether it needs `IOSQE_ASYNC` to wait as its system call does.
            #[inline]
            pub(crate) fn needs_worker(&self) -> bool {
                match self {
                    $(Self::$name(request) => request.needs_worker(),)*
                }
            }

            /// Whether it brings bytes into its file.
            #[inline]
            pub(crate) fn is_write(&self) -> bool {
                self.access() == Access::Write
            }

            /// What the CQE's result means for this operation.
            #[inline]
            pub(crate) fn translate(&self, result: i32) -> i32 {
                match self {
                    $(Self::$name(request) => request.translate(result),)*
                }
            }

            /// The descriptor that the kernel opened for it.
            pub(crate) fn opened(&self, result: i32) -> Option<OwnedFd> {
                let opens = match self {
                    $(Self::$name(_) => <$name>::OPENS,)*
                };
                // SAFETY: this result of an operation that opens is a descriptor that the kernel just made for us.
                (opens && result >= 0).then(|| unsafe { OwnedFd::from_raw_fd(result as RawFd) })
            }
        }
    };
}

operations! {
    nop::Nop(Nop),
    read::Read(Read),
    write::Write(Write),
    // In a box: all others are smaller, and an operation is moved from hand to hand.
    vectored::ReadVectored(Box<ReadVectored>),
    vectored::WriteVectored(Box<WriteVectored>),
    poll::Poll(Poll),
    sleep::Sleep(Sleep),
    open::Open(Open),
    close::Close(Close),
    sync::Sync(Sync),
}
