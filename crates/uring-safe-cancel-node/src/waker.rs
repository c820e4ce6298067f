//! Who tells the event loop that completions are there.

mod thread;
pub(crate) mod uv;

use crate::budget;
use crate::ring::NodeRing;
use napi::sys;
use std::os::fd::RawFd;

/// A waker of one ring.
pub(crate) struct Waker {
    kind: Kind,
    /// Whether pending operations keep the process alive.
    referenced: bool,
    /// Whether they do so now.
    holding: bool,
    /// How often the ring was flushed in this turn of the event loop.
    flushes: u32,
}

/// A turn of the event loop that has flushed so often will go on: from then on nobody polls until its end. To stop and to
/// start again takes two system calls, as long as the wake-ups of three or four flushes.
const POLLED_FLUSHES: u32 = 8;

enum Kind {
    /// libuv polls the ring's descriptor: Node.
    Uv(uv::UvWaker),
    /// A thread polls it: Bun, Deno.
    Thread(thread::ThreadWaker),
}

impl Waker {
    /// Starts waking `ring`. `use_uv`: the process is really Node, and has libuv.
    ///
    /// # Safety
    ///
    /// `env` is that of a running callback, and `ring` stays until [`Waker::stop`] calls back.
    pub(crate) unsafe fn start(
        env: sys::napi_env,
        ring: *mut NodeRing,
        descriptor: RawFd,
        use_uv: bool,
    ) -> std::io::Result<Self> {
        // SAFETY: the caller vouches for both.
        let kind = unsafe {
            if use_uv {
                Kind::Uv(uv::UvWaker::start(env, ring, descriptor)?)
            } else {
                Kind::Thread(thread::ThreadWaker::start(env, ring, descriptor)?)
            }
        };
        Ok(Self { kind, referenced: true, holding: false, flushes: 0 })
    }

    /// The ring is being flushed, from within a turn of the event loop.
    #[inline]
    pub(crate) fn flushed(&mut self) {
        self.flushes += 1;
        if self.flushes == POLLED_FLUSHES {
            if let Kind::Uv(waker) = &mut self.kind {
                waker.pause();
            }
        }
    }

    /// A new turn of the event loop begins, which may sleep.
    #[inline]
    pub(crate) fn turn(&mut self) {
        if self.flushes >= POLLED_FLUSHES {
            if let Kind::Uv(waker) = &mut self.kind {
                waker.resume();
            }
        }
        self.flushes = 0;
    }

    /// Whether it tells the ring of each turn of the event loop.
    pub(crate) fn hears_of_turns(&self) -> bool {
        matches!(self.kind, Kind::Uv(_))
    }

    /// Keeps the process alive from now on, if the ring may.
    #[inline]
    pub(crate) fn hold(&mut self) {
        if self.referenced && !self.holding {
            self.holding = true;
            self.apply();
        }
    }

    /// Lets the process go.
    #[inline]
    pub(crate) fn release(&mut self) {
        if self.holding {
            self.holding = false;
            self.apply();
        }
    }

    pub(crate) fn set_referenced(&mut self, referenced: bool, is_pending: bool) {
        self.referenced = referenced;
        if referenced && is_pending {
            self.hold();
        } else {
            self.release();
        }
    }

    fn apply(&mut self) {
        match &mut self.kind {
            Kind::Uv(waker) => waker.set_ref(self.holding),
            Kind::Thread(waker) => waker.set_ref(self.holding),
        }
    }

    /// Stops polling. When this returns, the descriptor may be closed. `stopped` is called with `ring`
    /// when nothing of the waker is left, perhaps at once.
    ///
    /// # Safety
    ///
    /// This is the environment's thread, and `ring` is as given to [`Waker::start`].
    pub(crate) unsafe fn stop(self, ring: *mut NodeRing, stopped: unsafe fn(*mut NodeRing)) {
        // SAFETY: the caller vouches for both.
        unsafe {
            match self.kind {
                Kind::Uv(waker) => waker.stop(ring, stopped),
                Kind::Thread(waker) => {
                    waker.stop();
                    stopped(ring);
                }
            }
        }
    }
}

/// The ring has completions. It, or whoever has waited longer for it, gives JavaScript some, if this turn of the event loop
/// has time left: otherwise the loop comes back, because the descriptor stays readable.
///
/// # Safety
///
/// As for [`deliver`].
unsafe fn deliver_in_turn(ring: *mut NodeRing) {
    // SAFETY: the caller vouches for the ring. Those in the queue are live, see `teardown::finish`, and of this thread. No
    // borrow outlives its line.
    unsafe {
        if (*ring).is_destroyed {
            deliver(ring);
            return;
        }
        if !std::mem::replace(&mut (*ring).is_queued, true) {
            budget::enqueue(ring);
        }
        while let Some(next) = budget::next() {
            (*next).is_queued = false;
            // JavaScript may finish either ring: neither is looked at after that.
            if deliver(next) || next == ring {
                return;
            }
        }
    }
}

/// Reaps, and gives JavaScript what came: whether it was called. Called by a waker, from the event loop.
///
/// # Safety
///
/// `ring` is live, no borrow of it is, and this is its environment's thread, outside of JavaScript.
unsafe fn deliver(ring: *mut NodeRing) -> bool {
    // SAFETY: the caller vouches for the ring. The borrow ends before JavaScript runs.
    let (env, callback, count, has_news) = {
        // SAFETY: as above.
        let ring = unsafe { &mut *ring };
        if ring.core.is_none() {
            return false;
        }
        // SAFETY: this is the environment's thread, outside of JavaScript.
        unsafe { ring.completions.find() };
        let count = ring.deliver();
        let is_drained = ring.core.as_ref().is_some_and(uring_safe_cancel::Ring::is_drained);
        // JavaScript has the timer by which to flush again.
        let has_news = !ring.reports.is_empty() || is_drained || ring.is_again;
        (ring.env, ring.callback, count, has_news)
    };
    if count == 0 && !has_news {
        return false;
    }
    // SAFETY: the environment is live while its ring is, and this is its thread.
    unsafe { call(env, callback, count) };
    true
}

/// Calls JavaScript's `onCompletions(count)`, and runs the microtasks behind it.
///
/// # Safety
///
/// `env` is live, this is its thread, and `callback` is a reference to a function.
unsafe fn call(env: sys::napi_env, callback: sys::napi_ref, count: usize) {
    use std::ptr;
    let (mut scope, mut function, mut receiver) =
        (ptr::null_mut(), ptr::null_mut(), ptr::null_mut());
    let mut argument = ptr::null_mut();
    let mut result = ptr::null_mut();
    // SAFETY: the caller vouches for `env` and `callback`; the values live in the scope.
    unsafe {
        if sys::napi_open_handle_scope(env, &mut scope) != sys::Status::napi_ok {
            return;
        }
        sys::napi_get_reference_value(env, callback, &mut function);
        sys::napi_get_global(env, &mut receiver);
        sys::napi_create_double(env, count as f64, &mut argument);
        let status = sys::napi_make_callback(
            env,
            ptr::null_mut(),
            receiver,
            function,
            1,
            &argument,
            &mut result,
        );
        if status == sys::Status::napi_pending_exception {
            let mut error = ptr::null_mut();
            sys::napi_get_and_clear_last_exception(env, &mut error);
            sys::napi_fatal_exception(env, error);
        }
        sys::napi_close_handle_scope(env, scope);
    }
}
