//! Lanes on a ring: each begins its next operation when its last is done.

use io_uring::squeue::{Entry, SubmissionQueue};
use io_uring::IoUring;
use std::io;
use std::time::{Duration, Instant};

/// What the lanes do. An operation is one or several entries, its parts.
pub trait Work {
    /// Makes what `lanes` lanes need. Not timed.
    fn prepare(&mut self, ring: &IoUring, lanes: usize) -> io::Result<()>;

    /// Queues the first entries of a lane's next operation.
    fn begin(&mut self, lane: usize, queue: &mut Queue<'_, '_>);

    /// Takes a completion, checks it, and tells whether the lane's operation is done.
    fn complete(&mut self, lane: usize, part: u8, result: i32, queue: &mut Queue<'_, '_>) -> bool;
}

/// Where a work puts its entries.
pub struct Queue<'a, 'b>(&'a mut SubmissionQueue<'b>);

/// The tag of a lane's part.
#[inline]
pub fn tag(lane: usize, part: u8) -> u64 {
    (lane as u64) << 8 | u64::from(part)
}

impl Queue<'_, '_> {
    /// Queues an entry. What it points to belongs to the work, and stays until the completion.
    #[inline]
    pub fn push(&mut self, lane: usize, part: u8, entry: Entry) {
        let entry = entry.user_data(tag(lane, part));
        // SAFETY: the works own their buffers, and `run` returns when nothing is in flight.
        unsafe { self.0.push(&entry) }.expect("more entries than the lanes of any work queue");
    }
}

/// What is recorded of each operation.
pub trait Recorder {
    /// It began.
    fn began(&mut self, lane: usize);
    /// It is done.
    fn done(&mut self, lane: usize);
}

/// Nothing is.
pub struct Unrecorded;

impl Recorder for Unrecorded {
    #[inline]
    fn began(&mut self, _lane: usize) {}
    #[inline]
    fn done(&mut self, _lane: usize) {}
}

/// How long each took.
pub struct Latencies {
    begun: Vec<Instant>,
    all: Vec<u64>,
}

impl Latencies {
    /// With room, so that recording allocates nothing.
    pub fn new(lanes: usize, operations: u64) -> Self {
        Self { begun: vec![Instant::now(); lanes], all: Vec::with_capacity(operations as usize) }
    }

    /// Nanoseconds, below which the fraction `share` of the operations took.
    pub fn quantile(&mut self, share: f64) -> u64 {
        self.all.sort_unstable();
        let last = self.all.len().saturating_sub(1);
        self.all.get((last as f64 * share).round() as usize).copied().unwrap_or(0)
    }
}

impl Recorder for Latencies {
    #[inline]
    fn began(&mut self, lane: usize) {
        self.begun[lane] = Instant::now();
    }

    #[inline]
    fn done(&mut self, lane: usize) {
        self.all.push(self.begun[lane].elapsed().as_nanos() as u64);
    }
}

/// Does `operations` operations on `lanes` lanes, all of them in flight as long as there are enough.
pub fn run<W: Work, R: Recorder>(
    ring: &mut IoUring,
    work: &mut W,
    lanes: usize,
    operations: u64,
    recorder: &mut R,
) -> io::Result<Duration> {
    let start = Instant::now();
    let (submitter, mut submissions, mut completions) = ring.split();
    let mut begun = operations.min(lanes as u64);
    let mut done = 0;
    for lane in 0..begun as usize {
        recorder.began(lane);
        work.begin(lane, &mut Queue(&mut submissions));
    }
    while done < operations {
        submissions.sync();
        match submitter.submit_and_wait(1) {
            Err(error) if error.raw_os_error() != Some(libc::EINTR) => return Err(error),
            _ => {}
        }
        submissions.sync();
        completions.sync();
        for entry in &mut completions {
            let (lane, part) = ((entry.user_data() >> 8) as usize, entry.user_data() as u8);
            let mut queue = Queue(&mut submissions);
            if work.complete(lane, part, entry.result(), &mut queue) {
                recorder.done(lane);
                done += 1;
                if begun < operations {
                    begun += 1;
                    recorder.began(lane);
                    work.begin(lane, &mut queue);
                }
            }
        }
    }
    Ok(start.elapsed())
}
