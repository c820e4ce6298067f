//! Properties of the public API, for inputs that nobody thought of (proptest).

use proptest::test_runner::{Config, RngSeed};

/// The same cases in every run, because a test that fails now and then tells nobody what it found. Others:
/// `PROPTEST_RNG_SEED=7 PROPTEST_CASES=10000 cargo test --test properties`.
fn config(cases: u32) -> Config {
    let mut config = Config::default();
    let is_given = |name| std::env::var_os(name).is_some();
    if !is_given("PROPTEST_CASES") {
        config.cases = cases;
    }
    if !is_given("PROPTEST_RNG_SEED") {
        config.rng_seed = RngSeed::Fixed(0);
    }
    config.failure_persistence = None;
    config
}

#[path = "properties/arena.rs"]
mod arena;
#[path = "properties/real.rs"]
mod real;
#[path = "properties/values.rs"]
mod values;
