//! One history: what one seed makes.

use crate::client::{Client, Ending};
use crate::configuration::Configuration;
use crate::coverage::Coverage;
use crate::report;
use crate::trace::Step;
use crate::world::World;
use crate::Sabotage;
use fastrand::Rng;
use std::panic::{catch_unwind, AssertUnwindSafe};

/// How to run a history.
#[derive(Clone, Copy, Debug, Default)]
pub struct How {
    /// Print each step.
    pub trace: bool,
    /// Break the kernel's boundary, or the ring's policy.
    pub sabotage: Option<Sabotage>,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The hash of its trace.
    pub hash: u64,
    /// What happened how often.
    pub coverage: Coverage,
}

/// A history in which a check failed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What was wrong.
    pub message: String,
}

/// When simulated clocks start: not at zero, which no clock shows.
const START: u64 = 1_000_000_000_000;

/// Runs the history of a seed.
///
/// # Errors
///
/// If a check fails, here or in the library. (Where panics abort, as in release builds, the process ends
/// with the report.)
pub fn run(seed: u64, how: How) -> Result<Outcome, Failure> {
    run_with(seed, how, &|_| ())
}

/// The same, with another configuration than the seed's.
///
/// # Errors
///
/// As above.
pub fn run_with(
    seed: u64,
    how: How,
    change: &dyn Fn(&mut Configuration),
) -> Result<Outcome, Failure> {
    report::begin(seed);
    let result = catch_unwind(AssertUnwindSafe(|| play(seed, how, change)));
    report::end();
    result.map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Failure { seed, message: text.unwrap_or("a panic without a message").into() }
    })
}

fn play(seed: u64, how: How, change: &dyn Fn(&mut Configuration)) -> Outcome {
    let mut random = Rng::with_seed(seed);
    let mut configuration = Configuration::new(&mut random);
    change(&mut configuration);
    let mut world = World::new(configuration.clone(), random.fork(), START);
    world.trace.print = how.trace;
    let mut serial = 0;
    for life in 0..configuration.lives {
        let mut configuration = configuration.clone();
        configuration.options.cancel.reissue = how.sabotage != Some(Sabotage::NoReissue);
        let mut next = World::new(configuration, random.fork(), world.now);
        next.trace = std::mem::take(&mut world.trace);
        next.coverage = std::mem::take(&mut world.coverage);
        next.sabotage = how.sabotage;
        next.note(Step::Life(life));
        next.coverage.lives += 1;
        let operations = next.configuration.operations;
        let mut client = Client::new(next, random.fork(), serial);
        client.work(operations);
        let ending = Ending::ALL[random.usize(..Ending::ALL.len())];
        (world, serial) = client.end(ending);
    }
    let mut coverage = world.coverage;
    coverage.simulated = world.now - START;
    Outcome { hash: world.trace.hash(), coverage }
}
