//! Who tells the event loop that completions are there.

mod listener;
mod thread;
pub(crate) mod uv;

pub(crate) use listener::Listener;
use napi::sys;
use std::ffi::c_void;
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
    /// Starts waking `listener`. `use_uv`: the process is really Node, and has libuv.
    ///
    /// # Safety
    ///
    /// `env` is that of a running callback, and the listener's data stays until [`Waker::stop`] calls back.
    pub(crate) unsafe fn start(
        env: sys::napi_env,
        listener: Listener,
        descriptor: RawFd,
        use_uv: bool,
    ) -> std::io::Result<Self> {
        // SAFETY: the caller vouches for both.
        let kind = unsafe {
            if use_uv {
                Kind::Uv(uv::UvWaker::start(env, listener, descriptor)?)
            } else {
                Kind::Thread(thread::ThreadWaker::start(env, listener, descriptor)?)
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

    /// Stops polling. When this returns, the descriptor may be closed. `stopped` is called with the listener's data
    /// when nothing of the waker is left, perhaps at once.
    ///
    /// # Safety
    ///
    /// This is the environment's thread.
    pub(crate) unsafe fn stop(self, stopped: unsafe fn(*mut c_void)) {
        // SAFETY: the caller vouches for the thread.
        unsafe {
            match self.kind {
                Kind::Uv(waker) => waker.stop(stopped),
                Kind::Thread(waker) => {
                    let data = waker.stop();
                    stopped(data);
                }
            }
        }
    }
}
