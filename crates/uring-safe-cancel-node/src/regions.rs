//! Core memory that JavaScript has ArrayBuffers on.
//!
//! Each has a number, by which JavaScript names it in a submission. The ArrayBuffer holds the memory,
//! and so does each operation on it; it is free when both are gone.

use napi::sys;
use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uring_safe_cancel::Memory;

#[derive(Default)]
struct Table {
    regions: Vec<Option<Memory>>,
    free: Vec<u32>,
}

/// The regions of one ring. ArrayBuffers may outlive the ring, so they share the table.
#[derive(Clone, Default)]
pub(crate) struct Regions(Arc<Mutex<Table>>);

struct Holder {
    regions: Regions,
    region: u32,
}

impl Regions {
    fn lock(&self) -> MutexGuard<'_, Table> {
        // Nothing that runs under the lock panics half-way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part of a region: `None` if the number is not a live one, or the part not within.
    #[inline]
    pub(crate) fn part(&self, region: u32, start: f64, length: f64) -> Option<Memory> {
        let is_sane = start >= 0.0 && length >= 0.0;
        let table = self.lock();
        let memory = table.regions.get(region as usize)?.as_ref()?;
        is_sane.then(|| memory.slice(start as usize, length as usize)).flatten()
    }

    /// An ArrayBuffer on `memory`, and the region's number. `None` if the runtime allows no external
    /// memory.
    ///
    /// # Safety
    ///
    /// `env` is that of a running callback.
    pub(crate) unsafe fn expose(
        &self,
        env: sys::napi_env,
        memory: Memory,
    ) -> Option<(sys::napi_value, u32)> {
        let (address, length) = (memory.as_mut_ptr(), memory.len());
        let mut table = self.lock();
        let region = table.free.pop().unwrap_or(table.regions.len() as u32);
        if region as usize == table.regions.len() {
            table.regions.push(None);
        }
        table.regions[region as usize] = Some(memory);
        drop(table);
        let holder = Box::into_raw(Box::new(Holder { regions: self.clone(), region }));
        let mut buffer = ptr::null_mut();
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
            drop(unsafe { Box::from_raw(holder) });
            return None;
        }
        Some((buffer, region))
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        let memory = {
            let mut table = self.regions.lock();
            table.free.push(self.region);
            table.regions[self.region as usize].take()
        };
        drop(memory);
    }
}

extern "C" fn release(_env: sys::napi_env, _data: *mut c_void, holder: *mut c_void) {
    // SAFETY: `expose` gave the holder away to exactly this call.
    drop(unsafe { Box::from_raw(holder.cast::<Holder>()) });
}
