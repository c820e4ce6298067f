//! The array that native code and JavaScript share: a header, then four words for each completion.

/// Words before the first completion; see [`Header`].
pub(crate) const HEADER_WORDS: usize = 8;
/// Words of one completion: id, result, status, attempts.
pub(crate) const WORDS: usize = 4;

/// The header's words.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Header {
    /// Operations that have not settled.
    Pending = 0,
    /// 1: flush again after a millisecond, the kernel is short of something.
    Again = 1,
    /// 1: operations were reported as stuck.
    Reports = 2,
    /// 1: the ring takes no more operations and has settled all it had.
    Drained = 3,
    /// The region of the last allocation.
    Region = 4,
    /// 1: the next operation waits in the queue.
    Full = 5,
}

/// The status word: a verdict, and two flags.
pub(crate) mod status {
    /// The verdict's bits.
    pub(crate) const VERDICT: i32 = 3;
    pub(crate) const COMPLETED: i32 = 0;
    pub(crate) const FAILED: i32 = 1;
    pub(crate) const CANCELLED: i32 = 2;
    pub(crate) const STUCK: i32 = 3;
    /// The operation's timeout asked for the cancel.
    pub(crate) const TIMED_OUT: i32 = 4;
    /// The bytes lie in core memory and wait to be copied out.
    pub(crate) const KEPT: i32 = 8;
}

/// The array. JavaScript made it, and a reference keeps it while the ring lives.
#[derive(Clone, Copy)]
pub(crate) struct Completions {
    words: *mut i32,
    capacity: usize,
}

impl Completions {
    /// # Safety
    ///
    /// `words` is good for `length` words until [`Completions::forget`].
    pub(crate) unsafe fn new(words: *mut i32, length: usize) -> Self {
        Self { words, capacity: length.saturating_sub(HEADER_WORDS) / WORDS }
    }

    /// How many completions fit.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline]
    pub(crate) fn set_header(&self, word: Header, value: i32) {
        if !self.words.is_null() {
            // SAFETY: the header lies within the array, which `new`'s caller vouches for.
            unsafe { self.words.add(word as usize).write(value) };
        }
    }

    #[inline]
    pub(crate) fn set(&self, index: usize, completion: [i32; WORDS]) {
        debug_assert!(index < self.capacity);
        if !self.words.is_null() && index < self.capacity {
            // SAFETY: the index was checked, and `new`'s caller vouches for the array.
            unsafe {
                self.words
                    .add(HEADER_WORDS + index * WORDS)
                    .cast::<[i32; WORDS]>()
                    .write_unaligned(completion);
            }
        }
    }

    /// Writes nothing from now on.
    pub(crate) fn forget(&mut self) {
        self.words = std::ptr::null_mut();
        self.capacity = 0;
    }
}
