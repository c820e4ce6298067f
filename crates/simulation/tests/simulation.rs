//! The short run, and what shows that it can fail.

use std::io::Write;
use uring_safe_cancel_simulation::history::{self, How};
use uring_safe_cancel_simulation::run::{run, Length, Plan};
use uring_safe_cancel_simulation::{report, Sabotage};

const OPERATIONS: u64 = 10_000_000;

/// Which histories are run depends on it, so that it is the same on every machine.
const THREADS: u64 = 2;

#[test]
fn ten_million_operations_keep_the_contract() {
    let plan =
        Plan { seed: 1, length: Length::Operations(OPERATIONS), threads: THREADS, progress: None };
    let summary = run(&plan);
    let failed: Vec<String> = summary
        .failures
        .iter()
        .map(|failure| format!("{}\n  {}", failure.message, report::command(failure.seed)))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let coverage = &summary.coverage;
    assert!(coverage.operations >= OPERATIONS, "only {} operations", coverage.operations);
    assert_eq!(coverage.missing(), [], "what never happened was not tested");
    // Past the test harness, which shows only what failed.
    let text = format!(
        "simulation: {} operations in {} lives of a ring, {} cancels, {} bytes: {:.1} s\n",
        coverage.operations,
        coverage.lives,
        coverage.cancels,
        coverage.bytes,
        summary.time.as_secs_f64()
    );
    std::io::stderr().write_all(text.as_bytes()).expect("stderr");
}

#[test]
fn a_seed_is_one_history() {
    let hash = |seed| history::run(seed, How::default()).expect("the contract holds").hash;
    let mut hashes: Vec<u64> = (0..40).map(hash).collect();
    assert_eq!(hashes, (0..40).map(hash).collect::<Vec<_>>(), "the same again");
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 40, "each seed has a history of its own");
}

/// Each way to break the boundary is found, and soon.
#[test]
fn what_is_broken_is_found() {
    /// Far above what any of them took: see the text that the test prints.
    const MOST_HISTORIES: u64 = 200;
    report::expect_failures(true);
    for sabotage in Sabotage::ALL {
        let how = How { sabotage: Some(sabotage), ..How::default() };
        let found = (0..MOST_HISTORIES).find_map(|seed| history::run(seed, how).err());
        let failure = found.unwrap_or_else(|| panic!("{sabotage:?} was not found"));
        println!("{sabotage:?}: history {}: {}", failure.seed, failure.message);
    }
}
