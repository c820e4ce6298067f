//! How often each thing happened: a fault that silently never happens tests nothing.

macro_rules! faults {
    ($($name:ident = $text:literal,)*) => {
        /// What the simulated kernel and the random client do, beyond the plain.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Fault {
            $(#[doc = $text] $name,)*
        }

        impl Fault {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// What it is, in words.
            pub fn text(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

faults! {
    Short = "short results",
    Empty = "results of zero bytes",
    Interrupted = "results -EINTR",
    Restart = "results -512 to -516",
    Again = "results -EAGAIN",
    NoWorker = "results -ECANCELED without a cancel",
    Busy = "results -EBUSY",
    NoMemory = "results -ENOMEM",
    OtherError = "results -EIO",
    More = "CQEs with F_MORE",
    ErrorAfterMore = "errors after bytes with F_MORE",
    Notification = "memory announced as free by NOTIF",
    NotificationAfterError = "memory announced as free after an error",
    EnterInterrupted = "enter: EINTR",
    EnterAgain = "enter: EAGAIN",
    EnterBusy = "enter: EBUSY",
    EnterNoMemory = "enter: ENOMEM",
    Outage = "enter fails for a long time",
    PartialSubmission = "enter takes a part of the SQEs",
    SubmissionQueueFull = "submission queue full",
    HeldBack = "CQEs held back in the kernel",
    CompletionQueueFull = "completion queue full, CQE overflows",
    LostFound = "cancel lost after 0",
    LostOne = "cancel lost after 1",
    LostNotFound = "cancel lost after -ENOENT",
    LostAlready = "cancel lost after -EALREADY",
    LostTime = "cancel lost after -ETIME",
    LostInvalid = "cancel lost after -EINVAL",
    LostNoMemory = "cancel lost after -ENOMEM",
    CancelMetResult = "cancel met a result on its way",
    CancelTooLate = "cancel came after the final CQE",
    AnsweredLate = "cancel answered after its target's final CQE",
    CancelledByCanceled = "cancelled by -ECANCELED",
    CancelledByInterruption = "cancelled by -EINTR or -512 to -516",
    CancelledWithBytes = "cancelled, but bytes were transferred",
    CancelledWithError = "cancelled, but failed by itself",
    Rescued = "rescued by a further cancel",
    SilentForEver = "cancelled, and silent for ever",
    TimerUpdated = "timer changed",
    TimerUpdateRefused = "change of the timer refused",
    TimerUpdateMissed = "change of the timer came too late",
    TimerCancelled = "timer cancelled and armed anew",
    TimerFailed = "timer: -ENOMEM",
    Resubmitted = "submitted again",
    ResubmittedPlain = "submitted again without IOSQE_ASYNC",
    Polled = "polled, because nothing was there",
    Paused = "paused, because nothing was there after a poll",
    WaitCancelled = "cancelled during a poll or a pause",
    Worker = "operations for a worker alone",
    InTurn = "operations for a worker, one at a time",
    Hinted = "operations for a worker, if one takes them",
    NoHint = "operations that no worker was given",
    Told = "results that are known without the kernel",
    PositionReserved = "positions reserved",
    PositionGivenBack = "positions given back",
    PositionAfter = "positions moved afterwards",
    PositionToEnd = "positions moved to the end",
    PositionByKernel = "positions moved by the kernel",
    ClosedElsewhere = "closes on a thread",
    StormEnded = "interrupted more than 100 times",
    Waited = "operations that waited for room",
    Parked = "operations that waited for their turn",
    CancelledWaiting = "cancelled while waiting",
    TimedOut = "timed out",
    StaleCancel = "cancels of operations that had settled",
    RepeatedCancel = "cancels of operations being cancelled",
    CancelledDescriptor = "cancels of all operations of a descriptor",
    CancelledAll = "cancels of all operations",
    Dropped = "operations dropped by their client",
    DiscardedBytes = "dropped, and bytes discarded",
    OpenedAfterCancel = "opened although cancelled",
    Refused = "operations refused for the queue's limit",
    RefusedClosed = "operations refused by a closed ring",
    ArenaFull = "memory refused: arena full",
    MapRefused = "memory refused: mmap failed",
    LimitedFlush = "flushes that stopped at their limit",
    SpuriousFlush = "flushes that nobody asked for",
    FlushedAgain = "flushes that asked for another",
    Blocked = "flushes that waited for the kernel",
    NumberReused = "descriptor numbers closed and reused mid-flight",
    ClosedAtOnce = "closes without the kernel's queue",
    ReportedStuck = "reported as stuck",
    GivenUp = "given up as stuck",
    EndedQuietly = "lives ended by cancelling everything",
    EndedByClose = "lives ended by close",
    EndedByDestroy = "lives ended by destroy",
    EndedByAbandon = "lives ended by abandon",
    EndedByDrop = "lives ended by drop",
    DrainedLate = "completions while draining",
    LateCompletion = "completions after the ring's end",
    LateBytes = "reads that wrote memory after the ring's end",
}

/// Counters of everything in [`Fault::ALL`], and of the work done.
#[derive(Clone, Debug)]
pub struct Coverage {
    counts: [u64; Fault::ALL.len()],
    /// Operations that rings accepted.
    pub operations: u64,
    /// Bytes that the kernel read or wrote.
    pub bytes: u64,
    /// Cancels issued.
    pub cancels: u64,
    /// The most cancels that one operation took which settled.
    pub most_cancels: u32,
    /// Lives of rings.
    pub lives: u64,
    /// Nanoseconds of simulated time.
    pub simulated: u64,
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            counts: [0; Fault::ALL.len()],
            operations: 0,
            bytes: 0,
            cancels: 0,
            most_cancels: 0,
            lives: 0,
            simulated: 0,
        }
    }
}

impl Coverage {
    /// It happened.
    #[inline]
    pub fn count(&mut self, fault: Fault) {
        self.counts[fault as usize] += 1;
    }

    /// How often it happened.
    pub fn get(&self, fault: Fault) -> u64 {
        self.counts[fault as usize]
    }

    /// Adds another's counts.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(other.counts) {
            *mine += theirs;
        }
        self.operations += other.operations;
        self.bytes += other.bytes;
        self.cancels += other.cancels;
        self.most_cancels = self.most_cancels.max(other.most_cancels);
        self.lives += other.lives;
        self.simulated = self.simulated.saturating_add(other.simulated);
    }

    /// What never happened.
    pub fn missing(&self) -> Vec<Fault> {
        Fault::ALL.iter().copied().filter(|&fault| self.get(fault) == 0).collect()
    }
}

impl std::fmt::Display for Coverage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for &fault in Fault::ALL {
            writeln!(f, "{:>12}  {}", self.get(fault), fault.text())?;
        }
        Ok(())
    }
}
