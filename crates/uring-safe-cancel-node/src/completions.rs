//! The array that native code and JavaScript share: a header, the arguments of a call, then four words for each
//! completion.

/// Words before the arguments; see [`Header`].
pub(crate) const HEADER_WORDS: usize = 8;
/// Words of the arguments: so many doubles; see [`Given`].
const GIVEN_WORDS: usize = 16;
const FIRST_COMPLETION: usize = HEADER_WORDS + GIVEN_WORDS;
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
    /// How many operations were taken, as 32 bits.
    Submitted = 6,
}

/// The arguments of the calls that are made for each operation. They lie in the array because Node-API takes as long for
/// two arguments as JavaScript does for all of them.
#[derive(Clone, Copy)]
#[repr(usize)]
pub(crate) enum Given {
    /// JavaScript's id of the operation.
    Id = 0,
    Descriptor = 1,
    Length = 2,
    /// In the file; of a copy: in the kept memory.
    Position = 3,
    Flags = 4,
    /// In milliseconds.
    Timeout = 5,
    /// The number of a region; of a copy: of a vectored read's part.
    Region = 6,
    /// In the region, or in the caller's bytes.
    Start = 7,
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
    /// The errno is the kernel's answer to the ring itself, of which it takes nothing any more.
    pub(crate) const FORBIDDEN: i32 = 16;
}

/// The array. JavaScript made it, and a reference keeps it while the ring lives. After that those keep it who can still
/// call the ring's functions: copies of large results go on.
#[derive(Clone, Copy)]
pub(crate) struct Completions {
    words: *mut i32,
    capacity: usize,
    is_forgotten: bool,
}

impl Completions {
    /// As many words as an array must have.
    pub(crate) const LEAST_WORDS: usize = FIRST_COMPLETION;

    /// # Safety
    ///
    /// `words` is good for `length` words, which is enough for header and arguments: until [`Completions::forget`] always, and
    /// then while one of the ring's functions runs.
    pub(crate) unsafe fn new(words: *mut i32, length: usize) -> Self {
        let capacity = length.saturating_sub(FIRST_COMPLETION) / WORDS;
        Self { words, capacity, is_forgotten: false }
    }

    /// How many completions fit.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline]
    pub(crate) fn set_header(&self, word: Header, value: i32) {
        if !self.is_forgotten {
            // SAFETY: the header lies within the array, which `new`'s caller vouches for.
            unsafe { self.words.add(word as usize).write(value) };
        }
    }

    /// An argument of the function that runs. Conversions of what is no such number give a bound of the type, or 0.
    #[inline]
    pub(crate) fn given(&self, argument: Given) -> f64 {
        // SAFETY: the arguments lie within the array, which `new`'s caller vouches for, and only the ring's functions ask
        // for them.
        unsafe {
            self.words.add(HEADER_WORDS).cast::<f64>().add(argument as usize).read_unaligned()
        }
    }

    /// Word by word: four that are put together first are copied before they have arrived.
    #[inline(always)]
    pub(crate) fn set(&self, index: usize, id: i32, result: i32, status: i32, attempts: i32) {
        debug_assert!(index < self.capacity);
        if !self.is_forgotten && index < self.capacity {
            // SAFETY: the index was checked, and `new`'s caller vouches for the array.
            unsafe {
                let place = self.words.add(FIRST_COMPLETION + index * WORDS);
                place.write(id);
                place.add(1).write(result);
                place.add(2).write(status);
                place.add(3).write(attempts);
            }
        }
    }

    /// Writes nothing from now on.
    pub(crate) fn forget(&mut self) {
        self.is_forgotten = true;
        self.capacity = 0;
    }
}
