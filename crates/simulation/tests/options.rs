//! A ring with any options keeps the contract (proptest): here over the simulated kernel, which serves also
//! those that no real one would.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed};
use std::time::Duration;
use uring_safe_cancel_simulation::history::{run_with, How};

fn duration(most: Duration) -> impl Strategy<Value = Duration> {
    let most = most.as_nanos() as u64;
    prop_oneof![Just(0), 0..2_000_000u64, 0..=most].prop_map(Duration::from_nanos)
}

/// Retries that are years apart end nothing in a lifetime.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

proptest! {
    // The same cases in every run; others by these variables.
    #![proptest_config({
        let mut config = Config::default();
        if std::env::var_os("PROPTEST_CASES").is_none() {
            config.cases = 60;
        }
        if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
            config.rng_seed = RngSeed::Fixed(0);
        }
        config.failure_persistence = None;
        config
    })]

    #[test]
    fn a_ring_with_any_options_keeps_the_contract(
        seed in any::<u64>(),
        entries in prop_oneof![1u32..10, 1u32..100_000],
        completions in prop_oneof![5u32..20, 5u32..100_000],
        queue_limit in prop_oneof![0u32..5, any::<u32>()],
        arena_bytes in prop_oneof![0usize..10_000, any::<usize>()],
        first_delay in prop_oneof![duration(LONGEST_DELAY), Just(Duration::MAX)],
        max_delay in duration(LONGEST_DELAY),
        stuck_after in prop_oneof![duration(Duration::from_secs(10)), Just(Duration::MAX)],
    ) {
        let outcome = run_with(seed, How::default(), &|configuration| {
            configuration.entries = entries;
            configuration.completions = completions;
            let options = &mut configuration.options;
            options.entries = entries;
            options.completions = completions;
            options.queue_limit = queue_limit;
            options.arena_bytes = arena_bytes;
            options.cancel.first_delay = first_delay;
            options.cancel.max_delay = max_delay;
            options.cancel.stuck_after = stuck_after;
            configuration.operations = 300;
        });
        prop_assert!(outcome.is_ok(), "{}", outcome.unwrap_err().message);
    }
}
