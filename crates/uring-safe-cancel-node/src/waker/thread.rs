//! Waking without libuv: one thread for all rings of the process, started when the first one needs it,
//! watches their descriptors on tokio and wakes each environment once for each batch.
//!
//! The thread only polls. Entering, registering and reaping are the owner's.

use super::Listener;
use napi::sys;
use std::ffi::c_void;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::ptr;
use std::sync::{mpsc as std_mpsc, Arc, Mutex, PoisonError};
use tokio::io::unix::AsyncFd;
use tokio::io::Interest;
use tokio::sync::{mpsc, Notify};

/// A Node-API threadsafe function, which may be called from any thread.
#[derive(Clone, Copy)]
struct Wake(sys::napi_threadsafe_function);

// SAFETY: that is what a threadsafe function is for.
unsafe impl Send for Wake {}

struct Descriptor(RawFd);

impl Descriptor {
    /// Whether completions are there.
    fn is_readable(&self) -> bool {
        let mut poll = libc::pollfd { fd: self.0, events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to one pollfd of this frame.
        unsafe { libc::poll(&mut poll, 1, 0) > 0 }
    }
}

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
    /// Told whether the thread watches the descriptor. Closes when it does not any more.
    gone: std_mpsc::Sender<io::Result<()>>,
}

pub(crate) struct ThreadWaker {
    env: sys::napi_env,
    function: Wake,
    shared: *mut Shared,
    stop: Arc<Notify>,
    gone: std_mpsc::Receiver<io::Result<()>>,
}

/// What the threadsafe function's context points to.
struct Shared {
    /// `None` once the waker is stopped: a wake that was on its way finds nobody.
    listener: Mutex<Option<Listener>>,
    reaped: Arc<Notify>,
}

impl Shared {
    fn listener(&self) -> Option<Listener> {
        *self.listener.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ThreadWaker {
    /// # Safety
    ///
    /// As for [`super::Waker::start`].
    pub(super) unsafe fn start(
        env: sys::napi_env,
        listener: Listener,
        descriptor: RawFd,
    ) -> io::Result<Self> {
        let watches = watcher()?;
        let reaped = Arc::new(Notify::new());
        let stop = Arc::new(Notify::new());
        let (gone, is_gone) = std_mpsc::channel();
        let shared = Shared { listener: Mutex::new(Some(listener)), reaped: Arc::clone(&reaped) };
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
            let words = format!("napi_create_threadsafe_function failed: {status}");
            return Err(io::Error::other(words));
        }
        // SAFETY: the function was just made, on this thread.
        unsafe { sys::napi_unref_threadsafe_function(env, function) };
        let function = Wake(function);
        let watch = Watch { descriptor, wake: function, reaped, stop: Arc::clone(&stop), gone };
        // The thread never ends; if it had, the watch, and with it the channel, would be gone.
        let _ = watches.send(watch);
        let waker = Self { env, function, shared, stop, gone: is_gone };
        let watched = waker.gone.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()));
        match watched {
            Ok(()) => Ok(waker),
            Err(error) => {
                // SAFETY: this is the environment's thread.
                let _ = unsafe { waker.stop() };
                Err(error)
            }
        }
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

    /// The listener's data, whom nothing of the waker knows any more.
    ///
    /// # Safety
    ///
    /// As for [`super::Waker::stop`].
    pub(super) unsafe fn stop(self) -> *mut c_void {
        self.stop.notify_one();
        // The channel closes when the watch is dropped, which is after its deregistration. The thread
        // waits for nobody, so this takes microseconds.
        let _ = self.gone.recv();
        // SAFETY: the finaliser, which frees the box, runs on this thread, later.
        unsafe {
            let listener =
                (*self.shared).listener.lock().unwrap_or_else(PoisonError::into_inner).take();
            let mode = sys::ThreadsafeFunctionReleaseMode::release;
            sys::napi_release_threadsafe_function(self.function.0, mode);
            listener.map_or(ptr::null_mut(), |listener| listener.data)
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
    let Some(Listener { data, turn, deliver, .. }) = shared.listener() else { return };
    // SAFETY: the listener is live while the box names it. No JavaScript of this environment runs now.
    unsafe {
        turn(data);
        deliver(data);
    }
    // The microtasks have run: where nothing is pending now, the process may end.
    if let Some(Listener { data, turn, .. }) = shared.listener() {
        // SAFETY: as above.
        unsafe { turn(data) };
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

/// The thread's mailbox; starts the thread. Where that fails, the next ring tries again.
fn watcher() -> io::Result<mpsc::UnboundedSender<Watch>> {
    static WATCHER: Mutex<Option<mpsc::UnboundedSender<Watch>>> = Mutex::new(None);
    let mut watcher = WATCHER.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = &*watcher {
        return Ok(sender.clone());
    }
    let sender = start_thread()?;
    *watcher = Some(sender.clone());
    Ok(sender)
}

fn start_thread() -> io::Result<mpsc::UnboundedSender<Watch>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (sender, mut watches) = mpsc::unbounded_channel::<Watch>();
    std::thread::Builder::new().name(String::from("uring-waker")).spawn(move || {
        runtime.block_on(async {
            while let Some(watch) = watches.recv().await {
                tokio::spawn(watch.run());
            }
        });
    })?;
    Ok(sender)
}

impl Watch {
    async fn run(self) {
        let inner = Descriptor(self.descriptor);
        // SAFETY: the owner closes the ring only after this task has dropped the registration.
        let registered = unsafe { AsyncFd::register_with_interest(inner, Interest::READABLE) };
        let descriptor = match registered {
            Ok(descriptor) => descriptor,
            Err(error) => {
                let _ = self.gone.send(Err(error.into()));
                return;
            }
        };
        let _ = self.gone.send(Ok(()));
        loop {
            tokio::select! {
                () = self.stop.notified() => break,
                ready = descriptor.readable() => match ready {
                    // Tokio tells of news only, and the owner may have left completions that are none.
                    Ok(guard) if guard.get_inner().is_readable() => {}
                    Ok(mut guard) => {
                        guard.clear_ready();
                        continue;
                    }
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
