//! The model really does what it is to be hostile with.

use uring_safe_cancel_model::configuration::Answers;
use uring_safe_cancel_model::report::shortest;
use uring_safe_cancel_model::sight::Sight;
use uring_safe_cancel_model::Configuration;

#[test]
fn everything_that_should_happen_happens() {
    for sight in Sight::ALL {
        let (three, four) = (Configuration::three(), Configuration::four());
        let everything = Configuration {
            timeouts: matches!(sight, Sight::TimedOut | Sight::PostedInTime),
            posts: sight == Sight::PostedInTime,
            reports_stuck: sight == Sight::StuckAndSettled,
            gives_up: matches!(sight, Sight::GivenUp | Sight::CompletedAfterAll),
            looks_for: Some(sight),
            ..if sight == Sight::CancelsTookTheRoom {
                four
            } else {
                Configuration { answers: Answers::All, ..three }
            }
        };
        let report = shortest(&everything, &[sight.name()]);
        println!("{report}");
        let way = report.way(sight.name()).unwrap_or_else(|| panic!("never seen: {sight:?}"));
        assert!(way.last_state().world.seen);
    }
}
