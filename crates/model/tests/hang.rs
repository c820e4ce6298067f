//! The bug of the 2022 report, as a counter-example: a library that trusts one cancel hangs.

use uring_safe_cancel::CancelPolicy;
use uring_safe_cancel_model::properties::{AT_REST, SETTLED};
use uring_safe_cancel_model::report::{explore, shortest};
use uring_safe_cancel_model::{Action, Configuration};

fn naive() -> Configuration {
    Configuration {
        name: "two operations, no second cancel",
        policy: CancelPolicy { reissue: false, ..CancelPolicy::default() },
        ..Configuration::two()
    }
}

#[test]
fn clause_2_live_without_a_second_cancel_an_operation_never_settles() {
    let report = shortest(&naive(), &[SETTLED, AT_REST]);
    println!("{report}");
    let hang = report.way(SETTLED).expect("a run that ends with a hang").clone();
    let end = hang.last_state().clone();
    let cancelled = &end.world.operations[0];
    assert!(end.ended && cancelled.asks > 0 && cancelled.settlements == 0);
    assert!(cancelled.target.is_some() && cancelled.cancel.is_none(), "answered, and lost");
    let actions = hang.into_actions();
    assert!(matches!(actions.last(), Some(Action::End)));
    let cancels = actions.iter().filter(|action| matches!(action, Action::Answer(..))).count();
    assert_eq!(cancels, 1, "one lost cancel is enough: {actions:?}");
    assert!(report.way(AT_REST).is_some());
}

#[test]
fn clause_2_live_a_kernel_that_loses_nothing_hides_it() {
    let report = explore(&Configuration { losses: 0, ..naive() }, 1);
    println!("{report}");
    assert!(report.found.is_empty());
}
