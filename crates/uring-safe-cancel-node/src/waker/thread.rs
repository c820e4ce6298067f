//! Waking without libuv: one thread for all rings of the process, started when the first one needs it,
//! watches their descriptors on tokio and wakes each environment once for each batch.
//!
//! The thread only polls. Entering, registering and reaping are the owner's.

use super::deliver;
use crate::ring::NodeRing;
use napi::sys;
use std::ffi::c_void;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::{mpsc as std_mpsc, Arc, Mutex, OnceLock, PoisonError};
use tokio::io::unix::AsyncFd;
use tokio::io::Interest;
use tokio::sync::{mpsc, Notify};

/// A Node-API threadsafe function, which may be called from any thread.
#[derive(Clone, Copy)]
struct Wake(sys::napi_threadsafe_function);

// SAFETY: that is what a threadsafe function is for.
unsafe impl Send for Wake {}

struct Descriptor(RawFd);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

struct Watch {
    descriptor: RawFd,
    wake: Wake,
    /// Signalled when the owner has reaped, and wants to be woken again.
    reaped: Arc<Notify>,
    /// Signalled when the owner is about to close the descriptor.
    stop: Arc<Notify>,
    /// Closes when the thread does not watch the descriptor any more.
    gone: std_mpsc::Sender<()>,
}

pub(crate) struct ThreadWaker {
    env: sys::napi_env,
    function: Wake,
    shared: *mut Shared,
    stop: Arc<Notify>,
    gone: std_mpsc::Receiver<()>,
}

/// What the threadsafe function's context points to.
struct Shared {
    /// `None` once the ring is finished: a wake that was on its way finds nothing.
    ring: Mutex<Option<*mut NodeRing>>,
    reaped: Arc<Notify>,
}

impl ThreadWaker {
    /// # Safety
    ///
    /// As for [`super::Waker::start`].
    pub(super) unsafe fn start(
        env: sys::napi_env,
        ring: *mut NodeRing,
        descriptor: RawFd,
    ) -> Result<Self, String> {
        let watches = watcher()?;
        let reaped = Arc::new(Notify::new());
        let stop = Arc::new(Notify::new());
        let (gone, is_gone) = std_mpsc::channel();
        let shared = Shared { ring: Mutex::new(Some(ring)), reaped: Arc::clone(&reaped) };
        let shared = Box::into_raw(Box::new(shared));
        let (mut name, mut function) = (ptr::null_mut(), ptr::null_mut());
        const NAME: &str = "uring-safe-cancel";
        // SAFETY: the caller vouches for `env`. The context is freed by the finaliser, once.
        let status = unsafe {
            sys::napi_create_string_utf8(env, NAME.as_ptr().cast(), NAME.len() as isize, &mut name);
            sys::napi_create_threadsafe_function(
                env,
                ptr::null_mut(),
                ptr::null_mut(),
                name,
                0,
                1,
                shared.cast(),
                Some(on_function_gone),
                shared.cast(),
                Some(on_wake),
                &mut function,
            )
        };
        if status != sys::Status::napi_ok {
            // SAFETY: the function was not made, so nobody else has the box.
            drop(unsafe { Box::from_raw(shared) });
            return Err(format!("napi_create_threadsafe_function failed: {status}"));
        }
        // SAFETY: the function was just made, on this thread.
        unsafe { sys::napi_unref_threadsafe_function(env, function) };
        let function = Wake(function);
        let watch = Watch { descriptor, wake: function, reaped, stop: Arc::clone(&stop), gone };
        watches.send(watch).map_err(|_| "the waker thread has ended")?;
        Ok(Self { env, function, shared, stop, gone: is_gone })
    }

    pub(super) fn set_ref(&mut self, referenced: bool) {
        // SAFETY: the function lives until `stop`, which takes self, and this is its thread.
        unsafe {
            if referenced {
                sys::napi_ref_threadsafe_function(self.env, self.function.0);
            } else {
                sys::napi_unref_threadsafe_function(self.env, self.function.0);
            }
        }
    }

    /// # Safety
    ///
    /// As for [`super::Waker::stop`].
    pub(super) unsafe fn stop(self) {
        self.stop.notify_one();
        // The channel closes when the watch is dropped, which is after its deregistration. The thread
        // waits for nobody, so this takes microseconds.
        let _ = self.gone.recv();
        // SAFETY: the finaliser, which frees the box, runs on this thread, later.
        unsafe {
            *(*self.shared).ring.lock().unwrap_or_else(PoisonError::into_inner) = None;
            let mode = sys::ThreadsafeFunctionReleaseMode::release;
            sys::napi_release_threadsafe_function(self.function.0, mode);
        }
    }
}

/// Runs on the environment's thread when the waker thread has called.
unsafe extern "C" fn on_wake(
    env: sys::napi_env,
    _function: sys::napi_value,
    context: *mut c_void,
    _data: *mut c_void,
) {
    if env.is_null() {
        return;
    }
    // SAFETY: the context is the box of `start`, which the finaliser frees after the last call.
    let shared = unsafe { &*context.cast::<Shared>() };
    let ring = *shared.ring.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(ring) = ring else { return };
    // SAFETY: the ring is live while the box names it. No JavaScript of this environment runs now.
    unsafe {
        (*ring).turn();
        deliver(ring);
    }
    shared.reaped.notify_one();
}

unsafe extern "C" fn on_function_gone(
    _env: sys::napi_env,
    context: *mut c_void,
    _hint: *mut c_void,
) {
    // SAFETY: the finaliser runs once, after the last call.
    drop(unsafe { Box::from_raw(context.cast::<Shared>()) });
}

/// The thread's mailbox; starts the thread.
fn watcher() -> Result<&'static mpsc::UnboundedSender<Watch>, String> {
    static WATCHER: OnceLock<Result<mpsc::UnboundedSender<Watch>, String>> = OnceLock::new();
    WATCHER.get_or_init(start_thread).as_ref().map_err(Clone::clone)
}

fn start_thread() -> Result<mpsc::UnboundedSender<Watch>, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|error| format!("no runtime for the waker thread: {error}"))?;
    let (sender, mut watches) = mpsc::unbounded_channel::<Watch>();
    std::thread::Builder::new()
        .name(String::from("uring-waker"))
        .spawn(move || {
            runtime.block_on(async {
                while let Some(watch) = watches.recv().await {
                    tokio::spawn(watch.run());
                }
            });
        })
        .map_err(|error| format!("no waker thread: {error}"))?;
    Ok(sender)
}

impl Watch {
    async fn run(self) {
        let inner = Descriptor(self.descriptor);
        // SAFETY: the owner closes the ring only after this task has dropped the registration.
        let registered = unsafe { AsyncFd::register_with_interest(inner, Interest::READABLE) };
        let Ok(descriptor) = registered else { return };
        loop {
            tokio::select! {
                () = self.stop.notified() => break,
                ready = descriptor.readable() => match ready {
                    // Cleared before the owner reaps: what comes later makes it ready again.
                    Ok(mut guard) => guard.clear_ready(),
                    Err(_) => break,
                },
            }
            let mode = sys::ThreadsafeFunctionCallMode::nonblocking;
            // SAFETY: the owner releases the function only after this task is gone.
            unsafe { sys::napi_call_threadsafe_function(self.wake.0, ptr::null_mut(), mode) };
            tokio::select! {
                () = self.stop.notified() => break,
                () = self.reaped.notified() => {}
            }
        }
        drop(descriptor);
        drop(self.gone);
    }
}
