//! Submissions. Those that programs make most find their arguments in the shared array, see [`Given`]; the others take
//! them as arguments, JavaScript's id of the operation first.

use super::answer;
use crate::arguments::{typed_array, Arguments};
use crate::protocol::{refusal, Given, Header, ASYNCHRONOUS};
use crate::ring::{Keep, NodeRing};
use napi::sys;
use std::ffi::CStr;
use std::ptr;
use std::time::Duration;
use uring_safe_cancel::operation::{
    Close, Nop, Open, Poll, Read, ReadVectored, Sleep, Sync, Vectors, VectorsError, Write,
    WriteVectored, CURRENT_POSITION,
};
use uring_safe_cancel::{Arena, ArenaError, Descriptor, Extra, Memory, Operation};

/// The flags and the timeout, which every submission but a close has as its last two arguments.
fn extra<const N: usize>(arguments: &Arguments<N>) -> Extra {
    extra_of(arguments.uint(N - 2), arguments.number(N - 1))
}

#[inline]
fn extra_of(flags: u32, milliseconds: f64) -> Extra {
    let timeout = (milliseconds > 0.0)
        .then(|| Duration::try_from_secs_f64(milliseconds / 1000.0).unwrap_or(Duration::MAX));
    Extra { asynchronous: flags & ASYNCHRONOUS != 0, timeout }
}

/// What every submission has that finds its arguments in the shared array.
struct Common {
    id: u32,
    descriptor: Descriptor,
    offset: u64,
    extra: Extra,
}

impl Common {
    #[inline(always)]
    fn of(ring: &NodeRing) -> Self {
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
fn allocate(arena: &Arena, length: usize) -> Result<Memory, i32> {
    arena.allocate(length).map_err(|error| refuse(&error))
}

fn refuse(error: &ArenaError) -> i32 {
    match error {
        ArenaError::Full { .. } => refusal::ARENA_FULL,
        ArenaError::Map(error) => -error.raw_os_error().unwrap_or(libc::ENOMEM),
    }
}

/// Submits what `make` makes, given the arena.
#[inline]
fn submit<O: Into<Operation>>(
    ring: &mut NodeRing,
    id: u32,
    keep: Keep,
    extra: Extra,
    make: impl FnOnce(&mut NodeRing, &Arena) -> Result<O, i32>,
) -> i32 {
    let Some(core) = &ring.core else { return refusal::CLOSED };
    let arena = core.arena().clone();
    match make(ring, &arena) {
        Ok(operation) => ring.submit(id, keep, operation.into(), extra),
        Err(code) => code,
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
            let Common { id, extra, .. } = Common::of(ring);
            ring.submit_at_once(id, Keep::No, Nop.into(), extra)
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
    let Common { id, descriptor, offset, extra } = Common::of(ring);
    ring.submit_at_once(id, keep, Read { descriptor, memory, offset }.into(), extra)
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
    let Common { id, descriptor, offset, extra } = Common::of(ring);
    ring.submit_at_once(id, Keep::No, Write { descriptor, memory, offset }.into(), extra)
}

/// A copy of a part of JavaScript's bytes.
///
/// # Safety
///
/// `bytes` is a pointer and a length as [`typed_array`] gives them, and JavaScript has not run since.
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

/// As many as the kernel takes (IOV_MAX).
const MOST_PARTS: u32 = 1024;

/// A vectored operation's parts: triples of region (-1: the caller's own memory), start and length.
struct Parts<'a>(&'a [f64]);

impl Parts<'_> {
    /// The triples, once they are known to be sane.
    fn triples(&self) -> Result<impl Iterator<Item = (i64, f64, usize)> + '_, i32> {
        let is_sane = self.0.len().is_multiple_of(3)
            && self.0.iter().all(|&n| (-1.0..=9_007_199_254_740_991.0).contains(&n));
        if !is_sane {
            return Err(refusal::BAD_ARGUMENT);
        }
        Ok(self.0.chunks_exact(3).map(|t| (t[0] as i64, t[1], t[2] as usize)))
    }

    /// Memory for each part: a region's, or a piece of one new allocation for all the others, which
    /// `fill` is told of.
    fn memory(
        &self,
        ring: &NodeRing,
        arena: &Arena,
        mut fill: impl FnMut(usize, &Memory) -> Result<(), i32>,
    ) -> Result<Vec<Memory>, i32> {
        let own: usize = self.triples()?.filter(|part| part.0 < 0).map(|part| part.2).sum();
        let shared = allocate(arena, own)?;
        let mut used = 0;
        let mut parts = Vec::with_capacity(self.0.len() / 3);
        for (index, (region, start, length)) in self.triples()?.enumerate() {
            let part = if region < 0 {
                let part = shared.slice(used, length).ok_or(refusal::BAD_ARGUMENT)?;
                used += length;
                fill(index, &part)?;
                part
            } else {
                let part = ring.regions.part(region as u32, start, length as f64);
                part.ok_or(refusal::BAD_ARGUMENT)?
            };
            parts.push(part);
        }
        Ok(parts)
    }
}

/// The numbers of a Float64Array; empty if it is none.
///
/// # Safety
///
/// `value` is a live value of `env`, and JavaScript does not run while the slice lives.
unsafe fn numbers<'a>(env: sys::napi_env, value: sys::napi_value) -> &'a [f64] {
    // SAFETY: the caller vouches for the value.
    let (data, length) = unsafe { typed_array::<f64>(env, value) };
    if data.is_null() {
        return &[];
    }
    // SAFETY: the runtime says that so many numbers lie there.
    unsafe { std::slice::from_raw_parts(data, length) }
}

fn vectors(arena: &Arena, parts: Vec<Memory>, offset: u64) -> Result<Vectors, i32> {
    Vectors::new(arena, parts, offset).map_err(|error| match error {
        VectorsError::TooMany(_) | VectorsError::TooLong(_) => refusal::BAD_ARGUMENT,
        VectorsError::Arena(error) => refuse(&error),
    })
}

/// readv(id, fd, parts, position, flags, timeout): what lies on no region is kept to be copied out.
pub(super) unsafe extern "C" fn read_vectored(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<6>(env, info, |ring, arguments| {
            submit(ring, arguments.uint(0), Keep::Copy, extra(arguments), |ring, arena| {
                let parts = Parts(numbers(env, arguments.value(2)));
                let parts = parts.memory(ring, arena, |_, _| Ok(()))?;
                let vectors = vectors(arena, parts, offset(arguments.number(3)))?;
                let descriptor = Descriptor::Borrowed(arguments.int(1));
                Ok(ReadVectored { descriptor, vectors })
            })
        })
    }
}

/// The elements of an array, as many as a vectored operation may have parts. `None` if one of them cannot be had.
///
/// # Safety
///
/// `value` is a live value of `env`. No borrow of a ring or of JavaScript's memory is alive: an array's getters run.
unsafe fn elements(env: sys::napi_env, value: sys::napi_value) -> Option<Vec<sys::napi_value>> {
    let mut length = 0;
    // SAFETY: the caller vouches for the value; of what is no array there are no elements.
    unsafe { sys::napi_get_array_length(env, value, &mut length) };
    let element = |index| {
        let mut element = ptr::null_mut();
        // SAFETY: as above.
        let status = unsafe { sys::napi_get_element(env, value, index, &mut element) };
        (status == sys::Status::napi_ok).then_some(element)
    };
    (0..length.min(MOST_PARTS)).map(element).collect()
}

/// writev(id, fd, parts, buffers, position, flags, timeout): a snapshot of what lies on no region.
pub(super) unsafe extern "C" fn write_vectored(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        let buffers = elements(env, Arguments::<7>::new(env, info).value(3));
        answer::<7>(env, info, |ring, arguments| {
            submit(ring, arguments.uint(0), Keep::No, extra(arguments), |ring, arena| {
                let buffers = buffers.as_ref().ok_or(refusal::BAD_ARGUMENT)?;
                let parts = Parts(numbers(env, arguments.value(2)));
                let parts = parts.memory(ring, arena, |index, part| {
                    let buffer = buffers.get(index).ok_or(refusal::BAD_ARGUMENT)?;
                    let (address, length) = typed_array(env, *buffer);
                    if length < part.len() {
                        return Err(refusal::BAD_ARGUMENT);
                    }
                    if !part.is_empty() {
                        ptr::copy(address, part.as_mut_ptr(), part.len());
                    }
                    Ok(())
                })?;
                let vectors = vectors(arena, parts, offset(arguments.number(4)))?;
                let descriptor = Descriptor::Borrowed(arguments.int(1));
                Ok(WriteVectored { descriptor, vectors })
            })
        })
    }
}

/// poll(id, fd, events, flags, timeout)
pub(super) unsafe extern "C" fn poll(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<5>(env, info, |ring, arguments| {
            let descriptor = Descriptor::Borrowed(arguments.int(1));
            let poll = Poll { descriptor, events: arguments.uint(2) };
            ring.submit(arguments.uint(0), Keep::No, poll.into(), extra(arguments))
        })
    }
}

/// sleep(id, milliseconds, flags, timeout)
pub(super) unsafe extern "C" fn sleep(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<4>(env, info, |ring, arguments| {
            submit(ring, arguments.uint(0), Keep::No, extra(arguments), |_, arena| {
                let time = Duration::try_from_secs_f64(arguments.number(1) / 1000.0)
                    .map_err(|_| refusal::BAD_ARGUMENT)?;
                Sleep::new(arena, time).map_err(|error| refuse(&error))
            })
        })
    }
}

/// open(id, path with NUL, open's flags, mode, flags, timeout)
pub(super) unsafe extern "C" fn open(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<6>(env, info, |ring, arguments| {
            submit(ring, arguments.uint(0), Keep::No, extra(arguments), |_, arena| {
                let (address, length) = arguments.bytes(1);
                if length == 0 {
                    return Err(refusal::BAD_ARGUMENT);
                }
                let bytes = std::slice::from_raw_parts(address, length);
                let path = CStr::from_bytes_with_nul(bytes).map_err(|_| refusal::BAD_ARGUMENT)?;
                Open::new(arena, path, arguments.int(2), arguments.uint(3))
                    .map_err(|error| refuse(&error))
            })
        })
    }
}

/// closeDescriptor(id, fd): cannot be cancelled, and is never refused. Of a ring that is finished it is a close(2).
pub(super) unsafe extern "C" fn close_descriptor(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<2>(env, info, |ring, arguments| {
            let close = Close::new(arguments.int(1));
            if ring.core.is_none() {
                return close.at_once().map_or_else(|errno| -errno, |()| 0);
            }
            // Whatever the last flush said: there is something to settle now.
            ring.completions.set_header(Header::Drained, 0);
            ring.submit(arguments.uint(0), Keep::No, close.into(), Extra::default())
        })
    }
}

/// sync(id, fd, 1 for fdatasync, flags, timeout)
pub(super) unsafe extern "C" fn sync(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: see `nop`.
    unsafe {
        answer::<5>(env, info, |ring, arguments| {
            let descriptor = Descriptor::Borrowed(arguments.int(1));
            let sync = Sync { descriptor, data_only: arguments.int(2) == 1 };
            ring.submit(arguments.uint(0), Keep::No, sync.into(), extra(arguments))
        })
    }
}
