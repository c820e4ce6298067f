//! One run: a scenario in a mode, from the first eventfd to the last check.

use crate::conservation;
use crate::eventfd;
use crate::progress::Progress;
use crate::scenario::{Mode, Scenario};
use crate::tally::Tally;
use crate::worker::{ring, Worker};
use std::sync::{Arc, Barrier};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use uring_safe_cancel::tokio::{File, StartError};

/// How often the progress line changes.
const TICK: Duration = Duration::from_millis(100);

/// What came of a run.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was run.
    pub scenario: Scenario,
    /// How.
    pub mode: Mode,
    /// For how long.
    pub time: Duration,
    /// The sum over all threads.
    pub tally: Tally,
    /// What the eventfds held at the end.
    pub left: u64,
    /// What must not be; see [`conservation`].
    pub problems: Vec<String>,
}

/// Why a run could not begin.
#[derive(Debug)]
pub enum RunError {
    /// A thread has no ring.
    Start(StartError),
    /// No eventfd, no thread, no runtime.
    Io(std::io::Error),
}

impl std::fmt::Display for RunError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Start(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for RunError {}

impl From<std::io::Error> for RunError {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// Runs a scenario in a mode.
///
/// # Errors
///
/// If it could not begin.
pub fn run(scenario: &Scenario, mode: Mode) -> Result<Report, RunError> {
    let eventfds =
        (0..scenario.threads).map(|_| eventfd::new()).collect::<Result<Arc<[File]>, _>>()?;
    run_on(&eventfds, scenario, mode)
}

/// The same, on eventfds of the caller's (one for each thread).
///
/// # Errors
///
/// If it could not begin.
pub fn run_on(eventfds: &Arc<[File]>, scenario: &Scenario, mode: Mode) -> Result<Report, RunError> {
    let progress = Arc::new(Progress::default());
    let start = Arc::new(Barrier::new(scenario.threads + 1));
    let threads: Vec<_> = (0..scenario.threads)
        .map(|thread| spawn(thread, scenario, mode, eventfds, &progress, &start))
        .collect::<Result<_, _>>()?;
    start.wait();
    let begun = Instant::now();
    let title = format!("{}, {}", scenario.name, mode.name());
    while !threads.iter().all(JoinHandle::is_finished) {
        progress.show(&title, begun.elapsed());
        thread::sleep(TICK.min(scenario.limit.time.unwrap_or(TICK)));
    }
    progress.clear();
    let mut tally = Tally::default();
    let mut ended = begun;
    for thread in threads {
        let (part, end) = match thread.join() {
            Ok(result) => result?,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        tally.merge(part);
        ended = ended.max(end);
    }
    let left = eventfds.iter().map(eventfd::take).sum::<Result<u64, _>>()?;
    let problems = conservation::problems(scenario, mode, &tally, left);
    let time = ended - begun;
    Ok(Report { scenario: scenario.clone(), mode, time, tally, left, problems })
}

type Outcome = Result<(Tally, Instant), RunError>;

fn spawn(
    thread: usize,
    scenario: &Scenario,
    mode: Mode,
    eventfds: &Arc<[File]>,
    progress: &Arc<Progress>,
    start: &Arc<Barrier>,
) -> std::io::Result<JoinHandle<Outcome>> {
    let (scenario, eventfds) = (scenario.clone(), Arc::clone(eventfds));
    let (progress, start) = (Arc::clone(progress), Arc::clone(start));
    thread::Builder::new().name(format!("stress {thread}")).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build_local(tokio::runtime::LocalOptions::default());
        let runtime = match runtime {
            Ok(runtime) => runtime,
            Err(error) => {
                // The others wait for this thread.
                start.wait();
                return Err(error.into());
            }
        };
        runtime.block_on(async {
            let ring = ring(mode);
            // Also without a ring: the others wait for this thread.
            start.wait();
            let worker = Worker {
                thread,
                scenario: &scenario,
                mode,
                eventfds: &eventfds,
                progress: &progress,
            };
            let tally = worker.run(ring.map_err(RunError::Start)?, Instant::now()).await;
            Ok((tally, Instant::now()))
        })
    })
}
