//! The handle of a ring.

use super::buffer::Buffer;
use super::driver::Driver;
use super::error::{Result, StartError};
use super::operation::Operation;
use super::outcome::Outcome;
use super::shared::{Core, Shared};
use crate::memory::ArenaError;
use crate::real::RealKernel;
use crate::ring::{Extra, Options, Stats, StuckReport};
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// An asynchronous ring of this thread. Clones are handles on the same ring; so are those that
/// [`Ring::timeout`] and [`Ring::asynchronous`] make, with other options for the operations that they
/// start.
///
/// When the last handle is gone the ring takes nothing more, finishes the operations that somebody still
/// awaits, cancels the others, and ends.
///
/// ```
/// use std::time::Duration;
/// use uring_safe_cancel::tokio::{Error, Ring};
/// use uring_safe_cancel::Options;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
/// let local = tokio::task::LocalSet::new();
/// local.block_on(&runtime, async {
///     let ring = Ring::new(Options::default())?;
///     let late = ring.timeout(Duration::from_millis(5)).sleep(Duration::from_secs(3600)).await;
///     assert!(matches!(late, Err(Error::TimedOut)));
///     assert_eq!(ring.destroy(Duration::from_secs(2)).await, 0);
///     Ok(())
/// })
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Ring {
    handle: Rc<Handle>,
    extra: Extra,
}

/// Dropped with the last handle.
#[derive(Debug)]
struct Handle(Rc<Shared>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.orphan();
    }
}

impl Ring {
    /// A ring of this thread, run by a task that is spawned here.
    ///
    /// # Errors
    ///
    /// [`StartError`]: no runtime, or no io_uring (then it says why, and what to do).
    ///
    /// # Panics
    ///
    /// As [`spawn_local`](::tokio::task::spawn_local) does, outside of a
    /// [`LocalSet`](::tokio::task::LocalSet) and a [`LocalRuntime`](::tokio::runtime::LocalRuntime)
    /// (tokio offers no way to ask first; [`Ring::with_driver`] needs neither), and as
    /// [`Ring::with_driver`] does.
    pub fn new(options: Options) -> Result<Self, StartError> {
        let (ring, driver) = Self::with_driver(options)?;
        ::tokio::task::spawn_local(driver);
        Ok(ring)
    }

    /// A ring of this thread, and the future that runs it: spawn it on a local set, or poll it beside
    /// your own. Nothing happens on the ring unless it is polled.
    ///
    /// ```
    /// # use uring_safe_cancel::{tokio::{Error, Ring}, Options};
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// # runtime.block_on(async {
    /// let (ring, driver) = Ring::with_driver(Options::default())?;
    /// tokio::select! {
    ///     done = ring.nop() => done?,
    ///     () = driver => unreachable!("the ring is open"),
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Ring::new`].
    ///
    /// # Panics
    ///
    /// If the runtime was built without I/O or without time.
    pub fn with_driver(options: Options) -> Result<(Self, Driver), StartError> {
        if ::tokio::runtime::Handle::try_current().is_err() {
            return Err(StartError::NoRuntime);
        }
        let kernel =
            RealKernel::new(options.entries, options.completions).map_err(StartError::Setup)?;
        let completions = kernel.completions();
        let shared = Rc::new(Shared::new(Core::new(kernel, completions, options)));
        let driver = Driver::new(Rc::clone(&shared)).map_err(StartError::Reactor)?;
        Ok((Self { handle: Rc::new(Handle(shared)), extra: Extra::default() }, driver))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.handle.0
    }

    /// Starts an operation with this handle's options.
    pub(super) fn start<T: Outcome>(
        &self,
        operation: Result<impl Into<crate::operation::Operation>>,
        kept: T::Kept,
    ) -> Operation<T> {
        Operation::submit(&self.handle.0, operation, self.extra, kept)
    }

    /// A handle on the same ring whose operations are cancelled `time` after their call; they end as
    /// [`Error::TimedOut`](super::Error::TimedOut) then, unless their result was there first. A close
    /// takes no notice.
    pub fn timeout(&self, time: Duration) -> Self {
        Self { extra: Extra { timeout: Some(time), ..self.extra }, ..self.clone() }
    }

    /// A handle on the same ring whose operations are done by a worker thread of the kernel
    /// (`IOSQE_ASYNC`), so that copying large reads never delays this one.
    pub fn asynchronous(&self) -> Self {
        Self { extra: Extra { asynchronous: true, ..self.extra }, ..self.clone() }
    }

    /// `length` bytes of core memory, all zero.
    ///
    /// # Errors
    ///
    /// If the ring's memory would exceed [`Options::arena_bytes`], or the kernel maps no more.
    pub fn alloc(&self, length: usize) -> Result<Buffer, ArenaError> {
        Buffer::zeroed(&self.shared().arena, length)
    }

    /// Core memory that holds a copy of `bytes`.
    ///
    /// # Errors
    ///
    /// As [`Ring::alloc`].
    pub fn alloc_from(&self, bytes: &[u8]) -> Result<Buffer, ArenaError> {
        Buffer::copied(&self.shared().arena, bytes)
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.shared().stats()
    }

    /// Waits until operations have outlived
    /// [`CancelPolicy::stuck_after`](crate::CancelPolicy::stuck_after), and reports each of them once.
    /// They stay tracked. If nobody takes the reports, only the last thousand are kept. An empty list
    /// says that the ring is over.
    ///
    /// On cancel (it is dropped) nothing is lost: the next call gets the reports.
    pub async fn stuck(&self) -> Vec<StuckReport> {
        let shared = self.shared();
        loop {
            let news = shared.news.notified();
            let reports = shared.take_reports();
            if !reports.is_empty() || shared.is_over() {
                return reports;
            }
            news.await;
        }
    }

    /// Takes no more operations from now on, and yields when those there are have settled, however long
    /// that takes. Dropping the future does not open the ring again.
    pub fn close(&self) -> impl Future<Output = ()> + 'static {
        self.shared().with_core(Core::close);
        over(Rc::clone(&self.handle.0))
    }

    /// Takes no more operations from now on, cancels those there are, and yields when all have settled,
    /// which is within `drain`: what the kernel has not let go by then ends as
    /// [`Error::Stuck`](super::Error::Stuck). Yields how many those are; their memory and descriptors
    /// stay leaked.
    ///
    /// May be called while the ring closes, and again (the first call's `drain` counts). Dropping the
    /// future changes nothing.
    pub fn destroy(&self, drain: Duration) -> impl Future<Output = u64> + 'static {
        self.shared().with_core(|core| core.destroy(drain));
        let shared = Rc::clone(&self.handle.0);
        async move {
            over(Rc::clone(&shared)).await;
            shared.stuck()
        }
    }
}

async fn over(shared: Rc<Shared>) {
    loop {
        let news = shared.news.notified();
        if shared.is_over() {
            return;
        }
        news.await;
    }
}
