//! The task that runs a ring.

use super::shared::{Shared, PAUSE};
use ::tokio::io::unix::AsyncFd;
use ::tokio::io::Interest;
use ::tokio::task::yield_now;
use ::tokio::time::{Instant, Sleep};
use std::future::Future;
use std::os::fd::{AsRawFd, RawFd};
use std::pin::{pin, Pin};
use std::rc::Rc;
use std::task::{ready, Context, Poll};
use std::time::Duration;

/// How long a ring whose handles and futures are all gone, or whose driver is dropped, waits for the
/// kernel to let cancelled operations go. Cancels take microseconds; two seconds cover a loaded machine
/// and are still bearable at the end of a program.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);

/// Results that one run of the driver delivers before other tasks get their turn. Whoever reads cached
/// files as fast as he can would otherwise keep timers and everybody else waiting.
const BUDGET: usize = 256;

/// The ring as the reactor sees it. Holds the ring, so that the reactor lets go of the descriptor
/// before the ring closes it.
#[derive(Debug)]
struct Watched {
    number: RawFd,
    shared: Rc<Shared>,
}

impl AsRawFd for Watched {
    fn as_raw_fd(&self) -> RawFd {
        self.number
    }
}

/// Runs a [`Ring`](super::Ring): a future that submits what was queued, delivers what completed, and
/// ends when the ring does: after `close` or `destroy`, or when nobody holds it any more.
///
/// [`Ring::new`](super::Ring::new) spawns it. With [`Ring::with_driver`](super::Ring::with_driver) you
/// do, or poll it beside your own future.
///
/// Dropping it early (a runtime that shuts down does) destroys the ring: everything is cancelled, and
/// the drop blocks until all has settled, for at most [`DRAIN_TIMEOUT`].
#[derive(Debug)]
#[must_use = "operations make no progress unless the driver is polled"]
pub struct Driver {
    ring: AsyncFd<Watched>,
    pause: Pin<Box<Sleep>>,
}

impl Driver {
    pub(super) fn new(shared: Rc<Shared>) -> std::io::Result<Self> {
        let watched = Watched { number: shared.descriptor(), shared };
        // SAFETY: the number is that of the ring in `shared`, whose core is never replaced and closes
        // it only when it is dropped: not while `watched` holds it.
        let ring = unsafe { AsyncFd::register_with_interest(watched, Interest::READABLE) }?;
        // Made now, so that a runtime without time is found out now.
        let pause = Box::pin(::tokio::time::sleep(Duration::ZERO));
        Ok(Self { ring, pause })
    }

    /// Waits for the next edge. Only then may the ring be reaped: a CQE that comes in between is either
    /// reaped, or raises an edge.
    fn watch(&self, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        loop {
            ready!(self.ring.poll_read_ready(context))?.clear_ready();
        }
    }
}

impl Future for Driver {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let shared = &this.ring.get_ref().shared;
        loop {
            shared.driver_runs(context.waker());
            if this.watch(context).is_ready() {
                // The runtime is shutting down, and will never say again that the ring is readable.
                shared.end(DRAIN_TIMEOUT);
                return Poll::Ready(());
            }
            shared.collect_mail(context.waker());
            shared.check_orphaned(DRAIN_TIMEOUT);
            let flushed = shared.flush(BUDGET);
            if shared.is_drained() {
                shared.end(Duration::ZERO);
                return Poll::Ready(());
            }
            if flushed.delivered >= BUDGET {
                // The CQEs that are left raise no edge. To yield is more than to wake oneself: the
                // runtime looks after its timers and its reactor first.
                return pin!(yield_now()).poll(context);
            }
            if !flushed.again {
                return Poll::Pending;
            }
            this.pause.as_mut().reset(Instant::now() + PAUSE);
            ready!(this.pause.as_mut().poll(context));
        }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.ring.get_ref().shared.end(DRAIN_TIMEOUT);
    }
}
