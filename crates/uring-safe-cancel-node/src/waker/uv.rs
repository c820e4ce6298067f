//! Waking by libuv: a poll handle on the ring's descriptor, and a prepare handle that tells the turns
//! of the loop, and keeps the process alive.
//!
//! While the loop's turn is busy with the ring, nobody need be told of its completions: the poll pauses, because the
//! kernel would wake the epoll with each of them. It goes on with the next turn, and finds what came meanwhile. An idle handle
//! keeps the loop from sleeping before that, should JavaScript have run so late in a turn (or, in Electron, outside of all).
//!
//! libuv's functions come by dlsym: Bun and Deno have none, and an addon that links them would not
//! load there.

use super::Listener;
use napi::sys;
use std::ffi::{c_char, c_int, c_void, CStr};
use std::io;
use std::os::fd::RawFd;
use std::ptr;
use std::sync::OnceLock;

pub(crate) type Handle = *mut c_void;
pub(crate) type CloseCallback = unsafe extern "C" fn(Handle);
type PollCallback = unsafe extern "C" fn(Handle, c_int, c_int);
pub(crate) type TurnCallback = unsafe extern "C" fn(Handle);

const UV_IDLE: c_int = 6;
const UV_POLL: c_int = 8;
const UV_PREPARE: c_int = 9;
const UV_READABLE: c_int = 1;

/// libuv's functions, as its stable ABI (since 1.19) has them.
#[derive(Clone, Copy)]
struct Functions {
    handle_size: unsafe extern "C" fn(c_int) -> usize,
    handle_set_data: unsafe extern "C" fn(Handle, *mut c_void),
    handle_get_data: unsafe extern "C" fn(Handle) -> *mut c_void,
    poll_init: unsafe extern "C" fn(*mut c_void, Handle, c_int) -> c_int,
    poll_start: unsafe extern "C" fn(Handle, c_int, PollCallback) -> c_int,
    poll_stop: unsafe extern "C" fn(Handle) -> c_int,
    prepare_init: unsafe extern "C" fn(*mut c_void, Handle) -> c_int,
    prepare_start: unsafe extern "C" fn(Handle, TurnCallback) -> c_int,
    idle_init: unsafe extern "C" fn(*mut c_void, Handle) -> c_int,
    idle_start: unsafe extern "C" fn(Handle, TurnCallback) -> c_int,
    idle_stop: unsafe extern "C" fn(Handle) -> c_int,
    reference: unsafe extern "C" fn(Handle),
    unreference: unsafe extern "C" fn(Handle),
    close: unsafe extern "C" fn(Handle, Option<CloseCallback>),
}

fn functions() -> Option<&'static Functions> {
    static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
    FUNCTIONS.get_or_init(find).as_ref()
}

/// A function of libuv's, where there is one.
///
/// # Safety
///
/// `T` is the type of the function `name`.
pub(crate) unsafe fn symbol<T: Copy>(name: &CStr) -> Option<T> {
    const { assert!(size_of::<T>() == size_of::<*mut c_void>()) };
    // SAFETY: the name is a C string.
    let address = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr().cast::<c_char>()) };
    // SAFETY: a function's address that is not null is a function pointer of its type.
    (!address.is_null()).then(|| unsafe { std::mem::transmute_copy(&address) })
}

fn find() -> Option<Functions> {
    // SAFETY: the fields have the types that uv.h declares.
    unsafe {
        Some(Functions {
            handle_size: symbol(c"uv_handle_size")?,
            handle_set_data: symbol(c"uv_handle_set_data")?,
            handle_get_data: symbol(c"uv_handle_get_data")?,
            poll_init: symbol(c"uv_poll_init")?,
            poll_start: symbol(c"uv_poll_start")?,
            poll_stop: symbol(c"uv_poll_stop")?,
            prepare_init: symbol(c"uv_prepare_init")?,
            prepare_start: symbol(c"uv_prepare_start")?,
            idle_init: symbol(c"uv_idle_init")?,
            idle_start: symbol(c"uv_idle_start")?,
            idle_stop: symbol(c"uv_idle_stop")?,
            reference: symbol(c"uv_ref")?,
            unreference: symbol(c"uv_unref")?,
            close: symbol(c"uv_close")?,
        })
    }
}

/// What the handles' data points to.
struct Shared {
    listener: Listener,
    /// Set by `stop`: what to call when all handles are closed.
    stopped: Option<unsafe fn(*mut c_void)>,
    open_handles: u32,
}

pub(crate) struct UvWaker {
    poll: Handle,
    is_paused: bool,
    prepare: Handle,
    idle: Handle,
    functions: Functions,
}

impl UvWaker {
    /// # Safety
    ///
    /// As for [`super::Waker::start`].
    pub(super) unsafe fn start(
        env: sys::napi_env,
        listener: Listener,
        descriptor: RawFd,
    ) -> io::Result<Self> {
        let functions =
            *functions().ok_or_else(|| io::Error::other("this process has no libuv"))?;
        let mut event_loop = ptr::null_mut();
        // SAFETY: the caller vouches for `env`.
        let status = unsafe { sys::napi_get_uv_event_loop(env, &mut event_loop) };
        if status != sys::Status::napi_ok {
            return Err(io::Error::other("this environment has no event loop"));
        }
        let event_loop = event_loop.cast::<c_void>();
        // SAFETY: the handles are zeroed memory of the sizes that libuv names, initialised before any
        // other use, and this is the loop's thread.
        unsafe {
            let poll = allocate((functions.handle_size)(UV_POLL));
            let status = (functions.poll_init)(event_loop, poll, descriptor);
            if status != 0 {
                libc::free(poll);
                return Err(io::Error::from_raw_os_error(-status));
            }
            let prepare = allocate((functions.handle_size)(UV_PREPARE));
            (functions.prepare_init)(event_loop, prepare);
            let idle = allocate((functions.handle_size)(UV_IDLE));
            (functions.idle_init)(event_loop, idle);
            let handles = [poll, prepare, idle];
            let shared = Shared { listener, stopped: None, open_handles: handles.len() as u32 };
            let shared = Box::into_raw(Box::new(shared)).cast::<c_void>();
            for handle in handles {
                (functions.handle_set_data)(handle, shared);
                (functions.unreference)(handle);
            }
            (functions.poll_start)(poll, UV_READABLE, on_readable);
            (functions.prepare_start)(prepare, on_prepare);
            Ok(Self { poll, is_paused: false, prepare, idle, functions })
        }
    }

    pub(super) fn set_ref(&mut self, referenced: bool) {
        let Functions { reference, unreference, .. } = self.functions;
        // SAFETY: the handle is open until `stop`, which takes self.
        unsafe {
            if referenced {
                reference(self.prepare)
            } else {
                unreference(self.prepare)
            }
        }
    }

    /// Stops polling until [`UvWaker::resume`].
    pub(super) fn pause(&mut self) {
        if !self.is_paused {
            self.is_paused = true;
            // SAFETY: the handles are open until `stop`, which takes self.
            unsafe {
                (self.functions.poll_stop)(self.poll);
                (self.functions.idle_start)(self.idle, on_idle);
            }
        }
    }

    pub(super) fn resume(&mut self) {
        if self.is_paused {
            self.is_paused = false;
            // SAFETY: as above.
            unsafe {
                (self.functions.poll_start)(self.poll, UV_READABLE, on_readable);
                (self.functions.idle_stop)(self.idle);
            }
        }
    }

    /// # Safety
    ///
    /// As for [`super::Waker::stop`].
    pub(super) unsafe fn stop(self, stopped: unsafe fn(*mut c_void)) {
        let Functions { handle_get_data, poll_stop, close, .. } = self.functions;
        // SAFETY: the handles are open, their data is the box that `start` made, and this is the loop's
        // thread. After uv_poll_stop the loop does not look at the descriptor any more.
        unsafe {
            let shared = handle_get_data(self.poll).cast::<Shared>();
            (*shared).stopped = Some(stopped);
            poll_stop(self.poll);
            close(self.poll, Some(on_closed));
            close(self.prepare, Some(on_closed));
            close(self.idle, Some(on_closed));
        }
    }
}

/// Zeroed memory for a handle.
pub(crate) fn allocate(size: usize) -> Handle {
    // SAFETY: the call takes two integers.
    let memory = unsafe { libc::calloc(1, size) };
    if memory.is_null() {
        std::alloc::handle_alloc_error(std::alloc::Layout::new::<Shared>());
    }
    memory
}

/// # Safety
///
/// `handle` is one of ours, and open.
unsafe fn shared<'a>(handle: Handle) -> &'a mut Shared {
    // Set before the first handle was made.
    let Some(functions) = functions() else { std::process::abort() };
    // SAFETY: the data of our handles is the box that `start` made, freed after the last one closed.
    unsafe { &mut *(functions.handle_get_data)(handle).cast::<Shared>() }
}

unsafe extern "C" fn on_readable(handle: Handle, _status: c_int, _events: c_int) {
    // SAFETY: libuv calls this with our handle, which is open, on the loop's thread, outside of
    // JavaScript.
    unsafe {
        let Listener { data, deliver_in_turn, .. } = shared(handle).listener;
        deliver_in_turn(data);
    }
}

unsafe extern "C" fn on_prepare(handle: Handle) {
    // SAFETY: as above. The listener is live while its waker is.
    unsafe {
        let Listener { data, turn, .. } = shared(handle).listener;
        turn(data);
    }
}

/// Its handle is there to be active.
unsafe extern "C" fn on_idle(_handle: Handle) {}

unsafe extern "C" fn on_closed(handle: Handle) {
    // SAFETY: libuv is done with the handle, whose memory came from calloc. The box is freed with the
    // last of them.
    unsafe {
        let shared = shared(handle);
        libc::free(handle);
        shared.open_handles -= 1;
        if shared.open_handles == 0 {
            let Shared { listener, stopped, .. } = *Box::from_raw(shared);
            if let Some(stopped) = stopped {
                stopped(listener.data);
            }
        }
    }
}
