//! Many histories, on a few threads.

use crate::coverage::Coverage;
use crate::history::{self, Failure, How};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How long a run is. It ends with the history that reaches the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Length {
    /// At least so many operations.
    Operations(u64),
    /// So long, in real time.
    Time(Duration),
}

/// What to run.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The first history's seed; the others follow.
    pub seed: u64,
    /// How long.
    pub length: Length,
    /// How many threads share the seeds.
    pub threads: u64,
    /// How often to say how far it is.
    pub progress: Option<Duration>,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Histories that ended well.
    pub histories: u64,
    /// All of theirs.
    pub coverage: Coverage,
    /// The histories that failed: one for each thread at most, because the run ends there.
    pub failures: Vec<Failure>,
    /// How long it took.
    pub time: Duration,
}

/// The descriptors of all threads' clients; the soft limit of 1024 is meant for select(2).
fn raise_descriptor_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointers are to a struct of this frame.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max.min(1 << 16);
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
        }
    }
}

/// Runs histories until the length is reached, or one fails. Which histories are run depends on the seed,
/// the length in operations and the number of threads, and not on the machine.
pub fn run(plan: &Plan) -> Summary {
    raise_descriptor_limit();
    let start = Instant::now();
    let total = Mutex::new((0u64, Coverage::default(), start));
    let failed = AtomicBool::new(false);
    let failures = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..plan.threads)
            .map(|thread| {
                let (total, failed) = (&total, &failed);
                scope.spawn(move || work(plan, thread, start, total, failed))
            })
            .collect();
        let results = workers.into_iter().map(|worker| worker.join().expect("a worker"));
        results.flatten().collect()
    });
    let (histories, coverage, _) = total.into_inner().expect("no worker panics");
    Summary { histories, coverage, failures, time: start.elapsed() }
}

fn work(
    plan: &Plan,
    thread: u64,
    start: Instant,
    total: &Mutex<(u64, Coverage, Instant)>,
    failed: &AtomicBool,
) -> Option<Failure> {
    let mut operations = 0;
    for seed in (plan.seed + thread..).step_by(plan.threads as usize) {
        let is_over = match plan.length {
            Length::Operations(length) => operations >= length.div_ceil(plan.threads),
            Length::Time(time) => start.elapsed() >= time,
        };
        if is_over || failed.load(Ordering::Relaxed) {
            break;
        }
        match history::run(seed, How::default()) {
            Ok(outcome) => {
                operations += outcome.coverage.operations;
                let mut total = total.lock().expect("no worker panics");
                total.0 += 1;
                total.1.add(&outcome.coverage);
                if plan.progress.is_some_and(|every| total.2.elapsed() >= every) {
                    total.2 = Instant::now();
                    print_progress(total.0, &total.1, start.elapsed());
                }
            }
            Err(failure) => {
                failed.store(true, Ordering::Relaxed);
                return Some(failure);
            }
        }
    }
    None
}

fn print_progress(histories: u64, coverage: &Coverage, time: Duration) {
    let seconds = time.as_secs_f64();
    let (operations, lives) = (coverage.operations, coverage.lives);
    let rate = operations as f64 / seconds;
    println!("{seconds:>8.0} s  {histories} histories, {lives} lives, {operations} operations, {rate:.0}/s");
}
