//! Vectored reads and writes. Their numbers lie in the shared array, their parts come in arrays of their own.

use super::answer;
use super::submit::{allocate, refuse, Numbers};
use crate::arguments::{typed_array, Arguments};
use crate::protocol::refusal;
use crate::ring::{Keep, NodeRing};
use napi::sys;
use std::ptr;
use uring_safe_cancel::operation::{ReadVectored, Vectors, VectorsError, WriteVectored};
use uring_safe_cancel::{Arena, Descriptor, Memory, Operation};

/// Submits what `make` makes for a descriptor and an offset, given the arena.
fn submit<O: Into<Operation>>(
    ring: &mut NodeRing,
    keep: Keep,
    make: impl FnOnce(&NodeRing, &Arena, Descriptor, u64) -> Result<O, i32>,
) -> i32 {
    let Some(core) = &ring.core else { return refusal::CLOSED };
    let arena = core.arena().clone();
    let Numbers { id, descriptor, offset, extra } = Numbers::of(ring);
    match make(ring, &arena, descriptor, offset) {
        Ok(operation) => ring.submit(id, keep, operation.into(), extra),
        Err(code) => code,
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

/// readv(parts): what lies on no region is kept to be copied out.
pub(super) unsafe extern "C" fn read_vectored(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node-API calls this with a running callback's values.
    unsafe {
        answer::<1>(env, info, |ring, arguments| {
            submit(ring, Keep::Copy, |ring, arena, descriptor, offset| {
                let parts = Parts(numbers(env, arguments.value(0)));
                let parts = parts.memory(ring, arena, |_, _| Ok(()))?;
                Ok(ReadVectored { descriptor, vectors: vectors(arena, parts, offset)? })
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

/// writev(parts, buffers): a snapshot of what lies on no region.
pub(super) unsafe extern "C" fn write_vectored(
    env: sys::napi_env,
    info: sys::napi_callback_info,
) -> sys::napi_value {
    // SAFETY: Node-API calls this with a running callback's values.
    unsafe {
        let buffers = elements(env, Arguments::<2>::new(env, info).value(1));
        answer::<2>(env, info, |ring, arguments| {
            submit(ring, Keep::No, |ring, arena, descriptor, offset| {
                let buffers = buffers.as_ref().ok_or(refusal::BAD_ARGUMENT)?;
                let parts = Parts(numbers(env, arguments.value(0)));
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
                Ok(WriteVectored { descriptor, vectors: vectors(arena, parts, offset)? })
            })
        })
    }
}
