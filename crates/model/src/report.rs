//! Runs a model and says what came of it.

use crate::action::{Action, Cancellation};
use crate::configuration::Configuration;
use crate::state::State;
use stateright::{Checker, HasDiscoveries, Model, Path};
use std::fmt::{self, Display, Formatter};
use std::time::{Duration, Instant};

/// A way to where a property fails, or to what was looked for.
pub type Way = Path<State, Action>;

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// The model's name.
    pub name: &'static str,
    /// How many cancels of one operation its kernel may lose.
    pub losses: u8,
    /// Different states.
    pub unique: usize,
    /// States with repetitions: the start, and one for each step.
    pub steps: usize,
    /// The longest way.
    pub depth: usize,
    /// How long it took.
    pub time: Duration,
    /// What failed, or was found, by the property's name.
    pub found: Vec<(&'static str, Way)>,
}

impl Report {
    /// The way to where this property fails, or to what it looks for.
    pub fn way(&self, property: &str) -> Option<&Way> {
        self.found.iter().find(|(name, _)| *name == property).map(|(_, way)| way)
    }

    fn new(
        configuration: &Configuration,
        time: Duration,
        checker: &impl Checker<Cancellation>,
    ) -> Self {
        let mut found: Vec<_> = checker.discoveries().into_iter().collect();
        found.sort_by_key(|(name, _)| *name);
        let Configuration { name, losses, .. } = *configuration;
        assert!(checker.is_done(), "{name}: the checker stopped before it was done");
        Self {
            name,
            losses,
            unique: checker.unique_state_count(),
            steps: checker.state_count(),
            depth: checker.max_depth(),
            time,
            found,
        }
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { name, losses, unique, steps, depth, time, found } = self;
        let seconds = time.as_secs_f64();
        write!(
            f,
            "{name}, {losses} losses: {unique} states, {steps} steps, depth {depth}, {seconds:.1} s"
        )?;
        for (name, way) in found {
            write!(f, "\n  {name}:")?;
            for action in way.clone().into_actions() {
                write!(f, "\n    {action:?}")?;
            }
        }
        Ok(())
    }
}

/// Visits every state, on so many threads, or ends where a property fails.
pub fn explore(configuration: &Configuration, threads: usize) -> Report {
    let start = Instant::now();
    let checker = Cancellation::new(configuration.clone())
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyFailures)
        .spawn_dfs()
        .join();
    Report::new(configuration, start.elapsed(), &checker)
}

/// The shortest way to where each of these properties fails, or to what they look for; none is found where
/// there is no such way.
pub fn shortest(configuration: &Configuration, properties: &[&'static str]) -> Report {
    let start = Instant::now();
    let wanted = HasDiscoveries::AllOf(properties.iter().copied().collect());
    // The checker goes on for a while after it has found something, and keeps what it found last: so it is
    // asked for ways of one step, of two, of three ...
    for most in 2.. {
        let checker = Cancellation::new(configuration.clone())
            .checker()
            .finish_when(wanted.clone())
            .target_max_depth(most)
            .spawn_bfs()
            .join();
        let report = Report::new(configuration, start.elapsed(), &checker);
        let all = properties.iter().all(|property| report.way(property).is_some());
        if all || report.depth < most {
            return report;
        }
    }
    unreachable!("every run ends")
}
