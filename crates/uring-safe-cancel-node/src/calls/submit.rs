//! The submissions that programs make most: a door each. They find their arguments in the shared array, see [`Given`].

use super::answer;
use crate::protocol::{refusal, Given, ASYNCHRONOUS};
use crate::ring::{Keep, NodeRing};
use napi::sys;
use std::ptr;
use std::time::Duration;
use uring_safe_cancel::operation::{Nop, Read, Write, CURRENT_POSITION};
use uring_safe_cancel::{Arena, ArenaError, Descriptor, Extra, Memory};

#[inline]
fn extra_of(flags: u32, milliseconds: f64) -> Extra {
    let timeout = (milliseconds > 0.0)
        .then(|| Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or(Duration::MAX));
    Extra { asynchronous: flags & ASYNCHRONOUS != 0, timeout }
}

/// The numbers that submissions have in common.
pub(super) struct Numbers {
    pub(super) id: u32,
    pub(super) descriptor: Descriptor,
    pub(super) offset: u64,
    pub(super) extra: Extra,
}

impl Numbers {
    #[inline(always)]
    pub(super) fn of(ring: &NodeRing) -> Self {
        let given = |argument| ring.completions.given(argument);
        Self {
            id: given(Given::Id) as u32,
            descriptor: Descriptor::Borrowed(given(Given::Fd) as i32),
            offset: offset(given(Given::Position)),
            extra: extra_of(given(Given::Flags) as u32, given(Given::Timeout)),
        }
    }
}

/// The part of a region that the arguments name.
#[inline]
fn region_part(ring: &NodeRing) -> Option<Memory> {
    let given = |argument| ring.completions.given(argument);
    ring.regions.part(given(Given::Region) as u32, given(Given::Start), given(Given::Length))
}

/// A position in a file: JavaScript's -1 is the current one.
#[inline]
fn offset(number: f64) -> u64 {
    if number >= 0.0 {
        number as u64
    } else {
        CURRENT_POSITION
    }
}

#[inline]
pub(super) fn allocate(arena: &Arena, length: usize) -> Result<Memory, i32> {
    arena.allocate(length).map_err(|error| refuse(&error))
}

pub(super) fn refuse(error: &ArenaError) -> i32 {
    match error {
        ArenaError::Full { .. } => refusal::ARENA_FULL,
        ArenaError::Map(error) => -error.raw_os_error().unwrap_or(libc::ENOMEM),
    }
}

/// nop()
pub(super) unsafe extern "C" fn nop(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node-API calls this with a running callback's values, as for all functions below.
    unsafe {
        answer::<0>(env, info, |ring, _| {
            let Numbers { id, extra, .. } = Numbers::of(ring);
            ring.submit_inlined(id, Keep::No, Nop.into(), extra)
        })
    }
}

/// read(): into core memory, which is kept to be copied out.
pub(super) unsafe extern "C" fn read(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<0>(env, info, |ring, _| {
            let Some(core) = &ring.core else { return refusal::CLOSED };
            let length = ring.completions.given(Given::Length) as usize;
            match allocate(core.arena(), length) {
                Ok(memory) => submit_read(ring, Keep::Copy, memory),
                Err(code) => code,
            }
        })
    }
}

/// readRegion(): no copy.
pub(super) unsafe extern "C" fn read_region(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<0>(env, info, |ring, _| match region_part(ring) {
            Some(memory) => submit_read(ring, Keep::Region, memory),
            None => refusal::BAD_ARGUMENT,
        })
    }
}

#[inline]
fn submit_read(ring: &mut NodeRing, keep: Keep, memory: Memory) -> i32 {
    let Numbers { id, descriptor, offset, extra } = Numbers::of(ring);
    ring.submit_inlined(id, keep, Read { descriptor, memory, offset }.into(), extra)
}

/// write(bytes): a snapshot of them.
pub(super) unsafe extern "C" fn write(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<1>(env, info, |ring, arguments| {
            let Some(core) = &ring.core else { return refusal::CLOSED };
            let start = ring.completions.given(Given::Start) as usize;
            let length = ring.completions.given(Given::Length) as usize;
            match snapshot(core.arena(), arguments.bytes(0), start, length) {
                Ok(memory) => submit_write(ring, memory),
                Err(code) => code,
            }
        })
    }
}

#[inline]
fn submit_write(ring: &mut NodeRing, memory: Memory) -> i32 {
    let Numbers { id, descriptor, offset, extra } = Numbers::of(ring);
    ring.submit_inlined(id, Keep::No, Write { descriptor, memory, offset }.into(), extra)
}

/// A copy of a part of JavaScript's bytes.
///
/// # Safety
///
/// `bytes` is a pointer and a length as [`typed_array`](crate::arguments::typed_array) gives them, and JavaScript has not run since.
unsafe fn snapshot(
    arena: &Arena,
    bytes: (*mut u8, usize),
    start: usize,
    length: usize,
) -> Result<Memory, i32> {
    let (address, available) = bytes;
    if start.checked_add(length).is_none_or(|end| end > available) {
        return Err(refusal::BAD_ARGUMENT);
    }
    let memory = allocate(arena, length)?;
    if length > 0 {
        // SAFETY: the source range was checked, the destination is new memory of that length, and the
        // core's own mappings overlap with no typed array that is not on them.
        unsafe { ptr::copy(address.add(start), memory.as_mut_ptr(), length) };
    }
    Ok(memory)
}

/// writeRegion(): no copy.
pub(super) unsafe extern "C" fn write_region(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<0>(env, info, |ring, _| match region_part(ring) {
            Some(memory) => submit_write(ring, memory),
            None => refusal::BAD_ARGUMENT,
        })
    }
}
