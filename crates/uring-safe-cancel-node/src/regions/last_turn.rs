//! The last turn of a worker's event loop, in which garbage can still be told from what was transferred.
//!
//! V8 frees the memory of dead ArrayBuffers some time after it has collected them, and Node tells their finalisers by way of a queue.
//! As an environment's end begins, Node empties that queue, and then calls all finalisers that are left. One that is called
//! only then may be that of garbage which V8 has not freed yet, or of an ArrayBuffer that was transferred before it was
//! collected, whose memory another thread may use. So if there is any such, the last turn makes V8 collect and free
//! all there is. No JavaScript runs after that turn: what then is called late was transferred. What is not garbage yet is pinned, so
//! that it does not become any: the end collects, too, and finalisers that are due then are called late.
//!
//! A worker that is ended (`process.exit()`, `worker.terminate()`) still finishes the turn of its loop, and a check handle is called near its end.
//! Should V8 be stopped in the very moment between, garbage is lost (see [`super::lost`]).

use super::{is_intact, lock, Table};
use crate::waker::uv::{allocate, symbol, CloseCallback, Handle, TurnCallback};
use napi::sys;
use std::cell::RefCell;
use std::ffi::{c_int, c_void};
use std::ptr;
use std::sync::{Arc, Mutex, Weak};

const UV_CHECK: c_int = 2;
/// More than V8 lets a program have outside of its heap without collecting all garbage at once: its limits are
/// some tens of mebibytes, or a part of the heap's.
const ALARMING_BYTES: i64 = 1 << 40;

/// libuv's functions, as its stable ABI has them.
#[derive(Clone, Copy)]
struct Functions {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    check_init: unsafe extern "C" fn(*mut c_void, Handle) -> c_int,
    check_start: unsafe extern "C" fn(Handle, TurnCallback) -> c_int,
    unreference: unsafe extern "C" fn(Handle),
    loop_alive: unsafe extern "C" fn(*mut c_void) -> c_int,
    close: unsafe extern "C" fn(Handle, Option<CloseCallback>),
}

fn find() -> Option<Functions> {
    // SAFETY: the fields have the types that uv.h declares.
    unsafe {
        Some(Functions {
            handle_size: symbol(c"uv_handle_size")?,
            check_init: symbol(c"uv_check_init")?,
            check_start: symbol(c"uv_check_start")?,
            unreference: symbol(c"uv_unref")?,
            loop_alive: symbol(c"uv_loop_alive")?,
            close: symbol(c"uv_close")?,
        })
    }
}

struct Watch {
    env: sys::napi_env,
    event_loop: *mut c_void,
    check: Handle,
    functions: Functions,
    hook: sys::napi_async_cleanup_hook_handle,
    tables: Vec<Weak<Mutex<Table>>>,
}

thread_local! {
    /// A worker has one environment, and that one thread.
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Watches the event loop for the sake of a ring's regions, until the environment ends.
///
/// # Safety
///
/// `env` is that of a running callback, and a worker's.
pub(super) unsafe fn watch(env: sys::napi_env, table: &Arc<Mutex<Table>>) {
    if std::mem::replace(&mut lock(table).is_watched, true) {
        return;
    }
    WATCH.with_borrow_mut(|watch| {
        if watch.is_none() {
            // SAFETY: the caller vouches for `env`.
            *watch = unsafe { Watch::start(env) };
        }
        let Some(Watch { tables, .. }) = watch else { return };
        tables.retain(|table| table.strong_count() > 0);
        tables.push(Arc::downgrade(table));
    });
}

impl Watch {
    /// # Safety
    ///
    /// As for [`watch`].
    unsafe fn start(env: sys::napi_env) -> Option<Self> {
        let functions = find()?;
        let (mut event_loop, mut hook) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the caller vouches for `env`. The handle is zeroed memory of the size that libuv names, initialised
        // before any other use, and this is the loop's thread.
        unsafe {
            if sys::napi_get_uv_event_loop(env, &mut event_loop) != sys::Status::napi_ok {
                return None;
            }
            let event_loop = event_loop.cast::<c_void>();
            let check = allocate((functions.handle_size)(UV_CHECK));
            (functions.check_init)(event_loop, check);
            (functions.unreference)(check);
            (functions.check_start)(check, on_check);
            sys::napi_add_async_cleanup_hook(env, Some(on_end), ptr::null_mut(), &mut hook);
            Some(Self { env, event_loop, check, functions, hook, tables: Vec::new() })
        }
    }

    /// Whether this may be the last turn: V8 is stopped, or nothing keeps the loop.
    fn is_last(&self) -> bool {
        // SAFETY: the loop is the environment's, and runs.
        unsafe { (self.functions.loop_alive)(self.event_loop) == 0 || is_stopped(self.env) }
    }

    /// Whether some ArrayBuffer is gone whose memory did not come back.
    fn is_unclear(&self) -> bool {
        self.tables.iter().filter_map(Weak::upgrade).any(|table| {
            // SAFETY: this is the environment's thread, within the handle scope of `on_check`, and the references are
            // the regions'.
            lock(&table)
                .regions
                .iter()
                .flatten()
                .any(|region| unsafe { !is_intact(self.env, region.buffer) })
        })
    }
}

impl Watch {
    /// Keeps the ArrayBuffers that are there from being collected, or no longer.
    ///
    /// # Safety
    ///
    /// This is the environment's thread, within a handle scope.
    unsafe fn pin(&self, is_to_be: bool) {
        for table in self.tables.iter().filter_map(Weak::upgrade) {
            for region in lock(&table).regions.iter_mut().flatten() {
                // SAFETY: the caller vouches for the thread, and the reference is the region's.
                unsafe {
                    if region.is_pinned == is_to_be || !is_intact(self.env, region.buffer) {
                        continue;
                    }
                    let mut count = 0;
                    if is_to_be {
                        sys::napi_reference_ref(self.env, region.buffer, &mut count);
                    } else {
                        sys::napi_reference_unref(self.env, region.buffer, &mut count);
                    }
                }
                region.is_pinned = is_to_be;
            }
        }
    }
}

/// Whether V8 runs no more JavaScript in this environment.
///
/// # Safety
///
/// This is the environment's thread, within a handle scope.
unsafe fn is_stopped(env: sys::napi_env) -> bool {
    let (mut value, mut is_same) = (ptr::null_mut(), false);
    // SAFETY: the caller vouches for `env`. The comparison is one of the calls that are refused then.
    unsafe {
        sys::napi_get_undefined(env, &mut value);
        sys::napi_strict_equals(env, value, value, &mut is_same) != sys::Status::napi_ok
    }
}

unsafe extern "C" fn on_check(_handle: Handle) {
    WATCH.with_borrow(|watch| {
        let Some(watch) = watch else { return };
        let mut scope = ptr::null_mut();
        // SAFETY: libuv calls this on the loop's thread, outside of JavaScript, while the handle is open: that is until
        // the environment's end. Finalisers of garbage are called later, not by the collection.
        unsafe {
            sys::napi_open_handle_scope(watch.env, &mut scope);
            let is_last = watch.is_last();
            // A turn that was thought to be the last was not.
            watch.pin(false);
            if is_last {
                if watch.is_unclear() {
                    collect(watch.env);
                }
                watch.pin(true);
            }
            sys::napi_close_handle_scope(watch.env, scope);
        }
    });
}

/// Makes V8 collect all garbage, and free its memory, now.
///
/// # Safety
///
/// This is the environment's thread.
unsafe fn collect(env: sys::napi_env) {
    let mut bytes = 0;
    // Twice: the second begins by waiting for what the first left to other threads.
    for _ in 0..2 {
        // SAFETY: the caller vouches for `env`; the second call takes back what the first has said.
        unsafe {
            sys::napi_adjust_external_memory(env, ALARMING_BYTES, &mut bytes);
            sys::napi_adjust_external_memory(env, -ALARMING_BYTES, &mut bytes);
        }
    }
}

extern "C" fn on_end(_hook: sys::napi_async_cleanup_hook_handle, _data: *mut c_void) {
    WATCH.with_borrow(|watch| {
        let Some(Watch { check, functions, .. }) = watch else { return };
        // SAFETY: the handle is open, and this is the loop's thread.
        unsafe { (functions.close)(*check, Some(on_closed)) };
    });
}

unsafe extern "C" fn on_closed(handle: Handle) {
    let watch = WATCH.take();
    // SAFETY: libuv is done with the handle, whose memory came from calloc; the hook is the watch's, removed once.
    unsafe {
        libc::free(handle);
        if let Some(Watch { hook, .. }) = watch {
            sys::napi_remove_async_cleanup_hook(hook);
        }
    }
}
