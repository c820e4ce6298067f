//! The model really does what it is to be hostile with.

use uring_safe_cancel_model::configuration::Answers;
use uring_safe_cancel_model::report::shortest;
use uring_safe_cancel_model::sight::Sight;
use uring_safe_cancel_model::Configuration;

#[test]
fn everything_that_should_happen_happens() {
    for sight in Sight::ALL {
        let everything = Configuration {
            timeouts: sight == Sight::TimedOut,
            reports_stuck: sight == Sight::StuckAndSettled,
            gives_up: matches!(sight, Sight::GivenUp | Sight::CompletedAfterAll),
            answers: Answers::All,
            looks_for: Some(sight),
            ..Configuration::three()
        };
        let report = shortest(&everything, &[sight.name()]);
        println!("{report}");
        let way = report.way(sight.name()).unwrap_or_else(|| panic!("never seen: {sight:?}"));
        assert!(way.last_state().world.seen);
    }
}
