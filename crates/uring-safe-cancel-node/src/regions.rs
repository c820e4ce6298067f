//! Core memory that JavaScript has ArrayBuffers on.
//!
//! Each has a number, by which JavaScript names it in a submission. The ArrayBuffer holds the memory,
//! and so does each operation on it; it is free when both are gone.
//!
//! When an environment ends, Node takes the memory of all its external ArrayBuffers back, the newest
//! first and before any cleanup hook. That includes the memory of one that was transferred: what
//! `ArrayBuffer.prototype.transfer()` makes can be posted, and another thread may still use it. So a
//! [`Sentinel`] is always the newest, and looks which ArrayBuffers are not any more what was handed out.
//! Their memory is leaked.
//!
//! What was collected and not yet finalised looks as if it had been transferred. [`last_turn`] sees to it that a worker's end
//! finds little of that, and [`lost`] that what remains is bounded.
//!
//! Bun and Deno take nothing back, and Deno calls finalisers from whichever thread sweeps, where nothing of
//! Node-API may be called: there is no sentinel, and there are no references.

mod last_turn;
mod lost;

use napi::sys;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uring_safe_cancel::Memory;

struct Region {
    memory: Memory,
    /// A weak reference to the ArrayBuffer, for the sentinel; null where there is none.
    buffer: sys::napi_ref,
    /// The environment ends, and somebody else may have the memory.
    must_leak: bool,
    /// Results of several reads share it.
    is_slab: bool,
    /// The reference is a strong one.
    is_pinned: bool,
}

#[derive(Default)]
struct Table {
    regions: Vec<Option<Region>>,
    free: Vec<u32>,
    live: usize,
    slab_bytes: usize,
    /// A strong reference to the newest sentinel, and its number.
    sentinel: Option<(sys::napi_ref, u64)>,
    sentinels: u64,
    is_ending: bool,
    /// [`last_turn`] knows it.
    is_watched: bool,
}

// SAFETY: the references are touched on the environment's thread only; everywhere else they are numbers.
unsafe impl Send for Table {}

type Shared = Arc<Mutex<Table>>;

/// The regions of one ring. ArrayBuffers may outlive the ring, so they share the table.
#[derive(Clone)]
pub(crate) struct Regions {
    table: Shared,
    ends: Ends,
}

/// How the environment ends.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Without taking memory back: in Bun and Deno.
    Quietly,
    /// With the process.
    WithProcess,
    /// Before it: a worker's.
    Alone,
}

struct Holder {
    regions: Regions,
    region: u32,
}

fn lock(table: &Mutex<Table>) -> MutexGuard<'_, Table> {
    // Nothing that runs under the lock panics half-way.
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Regions {
    pub(crate) fn new(ends: Ends) -> Self {
        Self { table: Shared::default(), ends }
    }

    /// A part of a region: `None` if the number is not a live one, or the part not within.
    #[inline]
    pub(crate) fn part(&self, region: u32, start: f64, length: f64) -> Option<Memory> {
        let is_sane = start >= 0.0 && length >= 0.0;
        let table = lock(&self.table);
        let region = table.regions.get(region as usize)?.as_ref()?;
        is_sane.then(|| region.memory.slice(start as usize, length as usize)).flatten()
    }

    /// Bytes of slabs that JavaScript still has, as far as the runtime has told.
    pub(crate) fn slab_bytes(&self) -> usize {
        lock(&self.table).slab_bytes
    }

    /// An ArrayBuffer on `memory`, and the region's number. `None` if the runtime allows no external
    /// memory, or if too much was lost with it.
    ///
    /// # Safety
    ///
    /// `env` is that of a running callback.
    pub(crate) unsafe fn expose(
        &self,
        env: sys::napi_env,
        memory: Memory,
        is_slab: bool,
    ) -> Option<(sys::napi_value, u32)> {
        if self.ends == Ends::Alone {
            if lost::is_too_much() {
                return None;
            }
            // SAFETY: the caller vouches for `env`.
            unsafe { last_turn::watch(env, &self.table) };
        }
        let (address, length) = (memory.as_mut_ptr(), memory.len());
        let mut table = lock(&self.table);
        let number = table.free.pop().unwrap_or(table.regions.len() as u32);
        if number as usize == table.regions.len() {
            table.regions.push(None);
        }
        let region =
            Region { memory, buffer: ptr::null_mut(), must_leak: false, is_slab, is_pinned: false };
        table.regions[number as usize] = Some(region);
        table.live += 1;
        table.slab_bytes += if is_slab { length } else { 0 };
        drop(table);
        let holder = Box::into_raw(Box::new(Holder { regions: self.clone(), region: number }));
        let (mut buffer, mut reference) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the memory stays while the region does, and that is until `release` runs, once, when
        // the buffer's backing store is gone.
        let status = unsafe {
            sys::napi_create_external_arraybuffer(
                env,
                address.cast(),
                length,
                Some(release),
                holder.cast(),
                &mut buffer,
            )
        };
        if status != sys::Status::napi_ok {
            // SAFETY: the buffer was not made, so nobody else has the holder.
            unsafe { Box::from_raw(holder) }.give_back(env);
            return None;
        }
        if self.ends == Ends::Quietly {
            return Some((buffer, number));
        }
        // SAFETY: `env` runs a callback, and the buffer is its value. A count of 0 is a weak reference.
        unsafe { sys::napi_create_reference(env, buffer, 0, &mut reference) };
        let mut table = lock(&self.table);
        if let Some(region) = &mut table.regions[number as usize] {
            region.buffer = reference;
        }
        drop(table);
        // SAFETY: the caller vouches for `env`.
        unsafe { self.post_sentinel(env) };
        Some((buffer, number))
    }

    /// Makes a sentinel that is newer than every other ArrayBuffer.
    ///
    /// # Safety
    ///
    /// `env` is that of a running callback.
    unsafe fn post_sentinel(&self, env: sys::napi_env) {
        let number = {
            let mut table = lock(&self.table);
            table.sentinels += 1;
            table.sentinels
        };
        let sentinel = Box::into_raw(Box::new(Sentinel { byte: 0, regions: self.clone(), number }));
        let (mut buffer, mut reference) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the caller vouches for `env`, and the byte stays until the finaliser frees the box.
        let posted = unsafe {
            sys::napi_create_external_arraybuffer(
                env,
                (&raw mut (*sentinel).byte).cast(),
                1,
                Some(on_sentinel_gone),
                sentinel.cast(),
                &mut buffer,
            ) == sys::Status::napi_ok
        };
        if !posted {
            // SAFETY: the buffer was not made, so nobody else has the box.
            drop(unsafe { Box::from_raw(sentinel) });
            return;
        }
        // SAFETY: the caller vouches for `env`, and the buffer is its value.
        unsafe { sys::napi_create_reference(env, buffer, 1, &mut reference) };
        let before = lock(&self.table).sentinel.replace((reference, number));
        // SAFETY: as above; the reference is deleted once.
        unsafe { dismiss(env, before) };
    }
}

/// Lets a sentinel be collected.
///
/// # Safety
///
/// This is the environment's thread, and the reference is one of it.
unsafe fn dismiss(env: sys::napi_env, sentinel: Option<(sys::napi_ref, u64)>) {
    if let Some((reference, _)) = sentinel {
        // SAFETY: the caller vouches for both.
        unsafe { sys::napi_delete_reference(env, reference) };
    }
}

/// An ArrayBuffer of one byte that hears of the environment's end before all older ones.
struct Sentinel {
    byte: u8,
    regions: Regions,
    number: u64,
}

extern "C" fn on_sentinel_gone(env: sys::napi_env, _data: *mut c_void, sentinel: *mut c_void) {
    // SAFETY: `post_sentinel` gave the box away to exactly this call.
    let sentinel = unsafe { Box::from_raw(sentinel.cast::<Sentinel>()) };
    let mut table = lock(&sentinel.regions.table);
    let is_newest = table.sentinel.is_some_and(|(_, number)| number == sentinel.number);
    if !is_newest {
        return;
    }
    // The newest is referred to, so only the environment's end can take it.
    table.sentinel = None;
    table.is_ending = true;
    for region in table.regions.iter_mut().flatten() {
        // SAFETY: finalisers run on the environment's thread, within a handle scope, and the reference is
        // the region's.
        region.must_leak = unsafe { !is_intact(env, region.buffer) };
    }
}

impl Holder {
    fn give_back(self, env: sys::napi_env) {
        let mut table = lock(&self.regions.table);
        let region = table.regions[self.region as usize].take();
        if let Some(Region { memory, is_slab: true, .. }) = &region {
            table.slab_bytes -= memory.len();
        }
        table.free.push(self.region);
        table.live -= 1;
        let is_ending = table.is_ending;
        let sentinel = if table.live == 0 { table.sentinel.take() } else { None };
        drop(table);
        let Some(Region { memory, buffer, must_leak, .. }) = region else { return };
        if must_leak {
            lost::leak(memory);
        }
        // SAFETY: finalisers run on the environment's thread. One that ends deletes its references itself.
        unsafe {
            if !is_ending && !buffer.is_null() {
                sys::napi_delete_reference(env, buffer);
            }
            dismiss(env, sentinel);
        }
    }
}

extern "C" fn release(env: sys::napi_env, _data: *mut c_void, holder: *mut c_void) {
    // SAFETY: `expose` gave the holder away to exactly this call.
    unsafe { Box::from_raw(holder.cast::<Holder>()) }.give_back(env);
}

/// Whether an ArrayBuffer is there, and still has its memory.
///
/// # Safety
///
/// This is the environment's thread, within a handle scope, and `buffer` is a reference of it, or null.
unsafe fn is_intact(env: sys::napi_env, buffer: sys::napi_ref) -> bool {
    let (mut value, mut is_detached) = (ptr::null_mut(), true);
    if buffer.is_null() {
        return false;
    }
    // SAFETY: the caller vouches for all three.
    unsafe {
        sys::napi_get_reference_value(env, buffer, &mut value);
        if value.is_null() {
            return false;
        }
        sys::napi_is_detached_arraybuffer(env, value, &mut is_detached) == sys::Status::napi_ok
            && !is_detached
    }
}
