//! Each property can fail: a driver with the defect that it is there for makes it fail.

use uring_safe_cancel_model::properties::*;
use uring_safe_cancel_model::report::{explore, shortest};
use uring_safe_cancel_model::{Configuration, Defect};

/// A small model, which is enough for most defects.
fn small() -> Configuration {
    Configuration { name: "small", losses: 1, extras: 1, ..Configuration::two() }
}

#[test]
fn without_a_defect_all_properties_hold() {
    let report = explore(&small(), 1);
    println!("{report}");
    assert!(report.found.is_empty());
}

#[test]
fn each_defect_is_found() {
    let three = Configuration { operations: 3, ..small() };
    let gives_up = Configuration { gives_up: true, ..small() };
    let late = || Configuration { posts: true, timeouts: true, ..small() };
    let reports_stuck = Configuration { reports_stuck: true, ..small() };
    for (defect, configuration, property) in [
        (Defect::TrustsTheAnswer, small(), ONCE),
        (Defect::TrustsTheAnswer, small(), MEMORY),
        (Defect::FreesTheStuck, gives_up, MEMORY),
        (Defect::ReusesTheSlotAtOnce, small(), IDENTITY),
        (Defect::ReusesTheSlotAtOnce, small(), COUNTS),
        (Defect::KeepsDeadlines, small(), IDENTITY),
        (Defect::DiscardsResults, small(), DELIVERED),
        (Defect::PassesRestartsOn, small(), VERDICT),
        (Defect::ForgetsTheWish, small(), RETRY),
        (Defect::ForgetsTheWish, small(), AT_REST),
        (Defect::MiscountsTheQueue, three, BOUNDED),
        (Defect::MiscountsTheQueue, small(), ROOM),
        (Defect::ForgetsTheCancel, small(), UNDISTURBED),
        (Defect::ForgetsTheCancel, small(), AT_REST),
        (Defect::ForgetsTheRetry, small(), AT_REST),
        (Defect::ForgetsTheRetry, small(), SETTLED),
        (Defect::ForgetsTheResubmission, small(), AT_REST),
        (Defect::TriesWithoutAPoll, small(), WAITS),
        (Defect::TrustsThePoll, small(), ONCE),
        (Defect::EndsThePollAtOnce, small(), MEMORY),
        (Defect::EndsThePollAtOnce, small(), ONCE),
        (Defect::ForgetsTheWishWhilePolling, small(), RETRY),
        (Defect::ForgetsTheWishWhilePolling, small(), AT_REST),
        (Defect::GivesUpByItself, reports_stuck, GIVEN_UP),
        (Defect::RepeatsDeadlines, small(), FINITE),
        (Defect::JudgesBeforeReaping, late(), REAPED),
        (Defect::JudgesBeforeReaping, Configuration { gives_up: true, ..late() }, REAPED),
    ] {
        let defective = Configuration { defect: Some(defect), ..configuration };
        let report = shortest(&defective, &[property]);
        let way = report.way(property).unwrap_or_else(|| panic!("{defect:?} passes {property:?}"));
        println!("{defect:?}: {property}, after {:?}", way.clone().into_actions());
    }
}
