//! One ring of one environment.

mod cleanup;
mod kept;

pub(crate) use cleanup::Cleanup;
use kept::KeptResults;
pub(crate) use kept::{Keep, Kept};

use crate::budget::{self, LEAST_COMPLETIONS, TURN_COMPLETIONS};
use crate::completions::Completions;
use crate::protocol::{refusal, status, Header, KEPT_BYTES};
use crate::regions::Regions;
use crate::waker::Waker;
use napi::sys;
use std::ffi::c_void;
use std::os::fd::{AsRawFd, IntoRawFd};
use std::ptr;
use std::time::Duration;
use uring_safe_cancel::kernel::{Kernel, WorkerLimit};
use uring_safe_cancel::{
    Completion, Extra, Key, Operation, RealKernel, Refusal, Ring, StuckReport, Verdict,
};

/// What the core knows an operation by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Client {
    /// JavaScript's number for it.
    pub(crate) id: u32,
    pub(crate) keep: Keep,
}

/// So many bytes that JavaScript has yet to copy count as a completion more: a turn copies about a megabyte.
const COPIED_BYTES_OF_A_COMPLETION: usize = 8 << 10;
/// What a flush costs by itself, in the same units: a system call, and a run of microtasks.
const FLUSH_COST: usize = 1;
/// So many bytes count as an operation more: the kernel has copied them meanwhile, on this thread. A read of
/// 4 KiB from the page cache takes as long as five operations without.
const INLINE_BYTES_OF_A_UNIT: usize = 1 << 10;

/// So many ids' keys are kept when nothing is pending: 192 KiB.
const KEPT_KEYS: usize = 8192;

pub(crate) struct NodeRing {
    pub(crate) env: sys::napi_env,
    /// `None` once the ring is finished.
    pub(crate) core: Option<Ring<RealKernel, Client>>,
    pub(crate) regions: Regions,
    pub(crate) completions: Completions,
    pub(crate) waker: Option<Waker>,
    /// A strong reference to what the callback is in JavaScript.
    pub(crate) callback: sys::napi_ref,
    pub(crate) cleanup: Cleanup,
    /// Nothing of the waker or the hook knows the ring.
    pub(crate) is_stopped: bool,
    /// Nothing in JavaScript does.
    pub(crate) is_collected: bool,
    pub(crate) drain: Duration,
    pub(crate) reports: Vec<(u32, StuckReport)>,
    /// Whether it stands in the queue of those who wait for the event loop's turn.
    pub(crate) is_queued: bool,
    pub(crate) is_destroyed: bool,
    /// Whether the last flush asks for another one soon.
    pub(crate) is_again: bool,
    /// By JavaScript's ids: operations whose completions it has not been given.
    keys: Vec<Option<Key>>,
    /// How many operations were taken, as 32 bits.
    submitted: i32,
    kept: KeptResults,
}

impl NodeRing {
    pub(crate) fn new(
        env: sys::napi_env,
        core: Ring<RealKernel, Client>,
        completions: Completions,
        drain: Duration,
        regions: Regions,
    ) -> Self {
        Self {
            env,
            core: Some(core),
            regions,
            completions,
            waker: None,
            callback: ptr::null_mut(),
            cleanup: Cleanup::None,
            is_stopped: false,
            is_collected: false,
            drain,
            reports: Vec::new(),
            is_queued: false,
            is_destroyed: false,
            is_again: false,
            keys: Vec::new(),
            submitted: 0,
            kept: KeptResults::default(),
        }
    }

    /// The ring behind a raw callback's data pointer.
    ///
    /// # Safety
    ///
    /// `data` is the pointer that its functions were made with, and no other borrow is alive: all
    /// borrows end before JavaScript runs again.
    #[inline]
    pub(crate) unsafe fn from_data<'a>(data: *mut c_void) -> &'a mut Self {
        // SAFETY: the box is freed only after the functions that carry the pointer, see `teardown`.
        unsafe { &mut *data.cast::<Self>() }
    }

    /// Submits an operation under JavaScript's `id`.
    pub(crate) fn submit(
        &mut self,
        id: u32,
        keep: Keep,
        operation: Operation,
        extra: Extra,
    ) -> i32 {
        self.submit_inlined(id, keep, operation, extra)
    }

    /// The same for those that programs make most: inlined, so that the operation is not copied.
    #[inline(always)]
    pub(crate) fn submit_inlined(
        &mut self,
        id: u32,
        keep: Keep,
        operation: Operation,
        extra: Extra,
    ) -> i32 {
        let Some(core) = &mut self.core else { return refusal::CLOSED };
        // Ids are the indices of JavaScript's table of operations, which is as large as the queue may be.
        if id as usize > uring_safe_cancel::ring::MAX_SLOTS as usize {
            return refusal::BAD_ARGUMENT;
        }
        match core.submit(operation, extra, Client { id, keep }) {
            Ok(key) => {
                if self.keys.len() <= id as usize {
                    self.keys.resize(id as usize + 1, None);
                }
                self.keys[id as usize] = Some(key);
                self.submitted = self.submitted.wrapping_add(1);
                self.completions.set_header(Header::Submitted, self.submitted);
                self.completions.set_header(Header::Full, i32::from(core.is_full()));
                0
            }
            Err(refused) => match refused.refusal {
                Refusal::Closed => refusal::CLOSED,
                Refusal::QueueFull => refusal::QUEUE_FULL,
                Refusal::Workers(WorkerLimit::Opens(_)) => refusal::TOO_MANY_OPENS,
                Refusal::Workers(WorkerLimit::Processes) => refusal::NO_PROCESS,
                Refusal::Workers(WorkerLimit::ControlGroup) => refusal::NO_PROCESS_OF_GROUP,
                Refusal::Forbidden(errno) => refusal::FORBIDDEN - errno,
                Refusal::Descriptor(error) => -error.raw_os_error().unwrap_or(libc::EIO),
            },
        }
    }

    pub(crate) fn cancel(&mut self, id: u32) -> bool {
        let key = self.keys.get(id as usize).copied().flatten();
        let (Some(core), Some(key)) = (&mut self.core, key) else { return false };
        core.cancel(key)
    }

    /// Whether an operation was taken by this id whose completion JavaScript has not been given.
    pub(crate) fn has(&self, id: u32) -> bool {
        self.keys.get(id as usize).is_some_and(Option::is_some)
    }

    /// Flushes for microtasks, within what the turn has left for them; how many completions the array holds now.
    pub(crate) fn flush(&mut self) -> usize {
        if let Some(waker) = &mut self.waker {
            waker.flushed();
        }
        let (count, spent) =
            self.flush_within(budget::inline(), |result, _| 1 + result / INLINE_BYTES_OF_A_UNIT);
        budget::spend_inline(spent + FLUSH_COST);
        self.hold_process();
        count
    }

    /// Flushes for the event loop; how many completions the array holds now.
    pub(crate) fn deliver(&mut self) -> usize {
        let (count, spent) = if self.is_destroyed {
            // Nothing more is submitted, and the drain has a time limit.
            self.flush_within(usize::MAX, |_, _| 1)
        } else {
            self.flush_within(budget::share(), |result, keep| {
                let is_copied = keep == Keep::Copy && result <= KEPT_BYTES as usize;
                let copied = if is_copied { result } else { 0 };
                (1 + copied / COPIED_BYTES_OF_A_COMPLETION)
                    .min(TURN_COMPLETIONS / LEAST_COMPLETIONS)
            })
        };
        budget::spend(spent);
        self.hold_process();
        count
    }

    /// How many completions came, and what they cost together. Each costs 1 or more.
    fn flush_within(
        &mut self,
        budget: usize,
        cost: impl Fn(usize, Keep) -> usize,
    ) -> (usize, usize) {
        let Self { core: Some(core), completions, kept, keys, .. } = self else { return (0, 0) };
        kept.release_flushed();
        let (mut count, mut spent) = (0, 0);
        let mut opened = Vec::new();
        let flushed = core.flush_within(budget.min(completions.capacity()), &mut |completion| {
            let result = match completion.verdict {
                // Where it is no count of bytes, it is a small number.
                Verdict::Completed(result) => usize::try_from(result).unwrap_or(0),
                _ => 0,
            };
            let cost = cost(result, completion.client.keep);
            if let Some(descriptor) = &completion.opened {
                opened.push(descriptor.as_raw_fd());
            }
            if let Some(key) = keys.get_mut(completion.client.id as usize) {
                *key = None;
            }
            write_completion(completion, completions, count, kept);
            count += 1;
            spent += cost;
            cost
        });
        // JavaScript closes them by the ring, or is told what it must expect.
        for number in opened {
            core.remember(number);
        }
        if core.pending() == 0 && self.keys.len() > KEPT_KEYS {
            // A burst is over.
            self.keys = Vec::new();
        }
        self.is_again = flushed.again;
        for report in core.take_stuck_reports() {
            if let Some(client) = core.client(report.key) {
                self.reports.push((client.id, report));
            }
        }
        completions.set_header(Header::Pending, core.pending() as i32);
        completions.set_header(Header::Again, i32::from(flushed.again));
        completions.set_header(Header::Reports, i32::from(!self.reports.is_empty()));
        completions.set_header(Header::Drained, i32::from(core.is_drained()));
        completions.set_header(Header::Full, i32::from(core.is_full()));
        (count, spent)
    }

    /// Keeps the process alive if operations are pending. It is let go before the loop sleeps, after
    /// the microtasks that might submit more.
    fn hold_process(&mut self) {
        if let (Some(core), Some(waker)) = (&self.core, &mut self.waker) {
            if core.pending() > 0 {
                waker.hold();
            }
        }
    }

    /// A new turn of the event loop: a new budget, and the process is held only if need be.
    pub(crate) fn turn(&mut self) {
        budget::renew();
        self.look_around();
    }

    /// What a new turn does with the ring alone.
    pub(crate) fn look_around(&mut self) {
        self.kept.release_flushed();
        if let (Some(core), Some(waker)) = (&self.core, &mut self.waker) {
            waker.turn();
            if core.pending() == 0 {
                waker.release();
            } else {
                waker.hold();
            }
        }
    }

    /// The ring is finished: small results were copied.
    pub(crate) fn release_all(&mut self) {
        self.kept.release_flushed();
        if let Some(core) = &self.core {
            core.arena().retire();
        }
    }

    /// The memory of a completed read that waits to be copied out.
    pub(crate) fn kept(&mut self, id: u32) -> Option<&mut Kept> {
        self.kept.of(id)
    }

    /// Cancels everything and blocks, at most `drain`, until the kernel has let go of it. For the end
    /// of an environment: no JavaScript runs, and nothing is told to it.
    pub(crate) fn drain_silently(&mut self) {
        self.completions.forget();
        let Some(core) = &mut self.core else { return };
        core.destroy(self.drain);
        let deadline = core.kernel().now().saturating_add(self.drain.as_nanos() as u64);
        while !core.is_drained() {
            let flushed = core.flush_and_wait(&mut drop);
            if flushed.again {
                // No CQE will tell when the kernel has room again.
                std::thread::sleep(Duration::from_millis(1));
                if core.kernel().now() >= deadline {
                    core.abandon();
                }
            }
        }
    }
}

/// Puts a completion where JavaScript reads it.
#[inline(always)]
fn write_completion(
    completion: Completion<Client>,
    completions: &Completions,
    index: usize,
    kept: &mut KeptResults,
) {
    let Completion { client, verdict, attempts, timed_out, operation, opened, .. } = completion;
    let (mut state, mut result) = match verdict {
        Verdict::Completed(result) => (status::COMPLETED, result),
        Verdict::Failed(errno) => (status::FAILED, -errno),
        Verdict::Cancelled => (status::CANCELLED, 0),
        Verdict::Stuck => (status::STUCK, 0),
        Verdict::Forbidden(errno) => (status::FAILED | status::FORBIDDEN, -errno),
    };
    if timed_out {
        state |= status::TIMED_OUT;
    }
    if let Some(descriptor) = opened {
        // From here on it is JavaScript's.
        result = descriptor.into_raw_fd();
    }
    if client.keep != Keep::No && result > 0 && state & status::VERDICT == status::COMPLETED {
        let memory = match operation {
            Some(Operation::Read(read)) => Kept::One(read.memory),
            Some(Operation::ReadVectored(read)) => Kept::Many(read.vectors.parts),
            _ => Kept::Nothing,
        };
        let must_copy = client.keep == Keep::Copy;
        kept.keep(client.id, memory, !(must_copy && result > KEPT_BYTES));
        if must_copy {
            state |= status::KEPT;
        }
    }
    let attempts = attempts.min(i32::MAX as u32) as i32;
    completions.set(index, client.id as i32, result, state, attempts);
}
