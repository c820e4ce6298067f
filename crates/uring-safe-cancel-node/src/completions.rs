//! The array that native code and JavaScript share: a header, the arguments of a call, then four words for each
//! completion.
//!
//! It lies on core memory, so that JavaScript may transfer its ArrayBuffer away, or let it be collected: native code goes on
//! with memory that is there. Where the runtime allows no such ArrayBuffers, the runtime has the memory, and native code asks
//! for its address whenever it is called.

use crate::arguments::typed_array;
use crate::protocol::{Given, Header, COMPLETION_WORDS, FIRST_COMPLETION, HEADER_WORDS};
use crate::regions::Regions;
use napi::sys;
use std::ptr;
use uring_safe_cancel::{Arena, Memory};

/// The array.
pub(crate) struct Completions {
    words: *mut i32,
    capacity: usize,
    is_forgotten: bool,
    home: Home,
}

/// Whose memory it is.
enum Home {
    /// Ours.
    Core { _memory: Memory },
    /// The runtime's, for which a strong reference to the typed array stands.
    Runtime { env: sys::napi_env, array: sys::napi_ref },
}

/// As long as one may be: more completions than a completion queue holds.
const MOST_WORDS: u32 = 1 << 20;

impl Completions {
    /// An array of `length` words, which has room for header and arguments at least, and the typed array for JavaScript.
    /// `None` if there is no memory.
    ///
    /// # Safety
    ///
    /// `env` is that of a running callback.
    pub(crate) unsafe fn make(
        env: sys::napi_env,
        regions: &Regions,
        length: u32,
    ) -> Option<(Self, sys::napi_value)> {
        let length = length.clamp(FIRST_COMPLETION as u32, MOST_WORDS) as usize;
        let bytes = length * size_of::<i32>();
        let memory = Arena::new(2 * bytes).allocate_zeroed(bytes).ok()?;
        // SAFETY: the caller vouches for `env`.
        let exposed = unsafe { regions.expose(env, memory.clone(), false) };
        let (mut buffer, mut array) = (ptr::null_mut(), ptr::null_mut());
        let is_ours = exposed.is_some();
        // SAFETY: the caller vouches for `env`; the pointers are to this frame.
        unsafe {
            match exposed {
                Some((value, _)) => buffer = value,
                None => {
                    let mut data = ptr::null_mut();
                    sys::napi_create_arraybuffer(env, bytes, &mut data, &mut buffer);
                }
            }
            let kind = sys::TypedarrayType::int32_array;
            if sys::napi_create_typedarray(env, kind, length, buffer, 0, &mut array)
                != sys::Status::napi_ok
            {
                return None;
            }
        }
        let home = if is_ours {
            Home::Core { _memory: memory.clone() }
        } else {
            let mut reference = ptr::null_mut();
            // SAFETY: as above.
            unsafe { sys::napi_create_reference(env, array, 1, &mut reference) };
            Home::Runtime { env, array: reference }
        };
        let words = memory.as_mut_ptr().cast();
        let mut made = Self { words, capacity: capacity(length), is_forgotten: false, home };
        // SAFETY: the caller vouches for `env`.
        unsafe { made.find() };
        Some((made, array))
    }

    /// Finds the memory where it is the runtime's; before anything else that a call from the environment does.
    ///
    /// # Safety
    ///
    /// This is the environment's thread, and JavaScript does not run before the array is used.
    #[inline(always)]
    pub(crate) unsafe fn find(&mut self) {
        if let Home::Runtime { env, array } = self.home {
            // SAFETY: the caller vouches for all of it.
            unsafe { self.find_in(env, array) };
        }
    }

    /// # Safety
    ///
    /// As for [`Completions::find`]; the reference is one of `env`.
    #[cold]
    unsafe fn find_in(&mut self, env: sys::napi_env, array: sys::napi_ref) {
        let (mut value, mut scope) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the caller vouches for both. The array is referred to, so it outlives the scope.
        let (words, length) = unsafe {
            sys::napi_open_handle_scope(env, &mut scope);
            sys::napi_get_reference_value(env, array, &mut value);
            let found = typed_array::<i32>(env, value);
            sys::napi_close_handle_scope(env, scope);
            found
        };
        let is_there = length >= FIRST_COMPLETION;
        self.words = if is_there { words } else { ptr::null_mut() };
        self.capacity = if is_there && !self.is_forgotten { capacity(length) } else { 0 };
    }

    /// Lets the runtime's memory go. Nothing is read or written any more.
    ///
    /// # Safety
    ///
    /// This is the environment's thread.
    pub(crate) unsafe fn let_go(&mut self) {
        if let Home::Runtime { env, array } = self.home {
            (self.words, self.capacity) = (ptr::null_mut(), 0);
            // SAFETY: the caller vouches for the thread, and the reference is deleted once: `words` stays null.
            unsafe { sys::napi_delete_reference(env, array) };
            self.home = Home::Runtime { env, array: ptr::null_mut() };
        }
    }

    /// How many completions fit.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    #[inline]
    pub(crate) fn set_header(&self, word: Header, value: i32) {
        if !self.is_forgotten && !self.words.is_null() {
            // SAFETY: the header lies within the array, which is there.
            unsafe { self.words.add(word as usize).write(value) };
        }
    }

    /// An argument of the function that runs. Conversions of what is no such number give a bound of the type, or 0.
    #[inline]
    pub(crate) fn given(&self, argument: Given) -> f64 {
        if self.words.is_null() {
            return f64::NAN;
        }
        // SAFETY: the arguments lie within the array, which is there.
        unsafe {
            self.words.add(HEADER_WORDS).cast::<f64>().add(argument as usize).read_unaligned()
        }
    }

    /// Word by word: four that are put together first are copied before they have arrived.
    #[inline(always)]
    pub(crate) fn set(&self, index: usize, id: i32, result: i32, status: i32, attempts: i32) {
        debug_assert!(index < self.capacity);
        if !self.is_forgotten && index < self.capacity {
            // SAFETY: the index was checked: with a capacity the array is there.
            unsafe {
                let place = self.words.add(FIRST_COMPLETION + index * COMPLETION_WORDS);
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

/// How many completions fit into so many words.
fn capacity(words: usize) -> usize {
    words.saturating_sub(FIRST_COMPLETION) / COMPLETION_WORDS
}
