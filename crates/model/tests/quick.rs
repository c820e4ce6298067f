//! Small models, for `npm run mutants`: ten seconds at most.

use uring_safe_cancel_model::configuration::Answers;
use uring_safe_cancel_model::report::explore;
use uring_safe_cancel_model::Configuration;

fn check(configuration: &Configuration) {
    let report = explore(configuration, 1);
    println!("{report}");
    assert!(report.found.is_empty(), "{report}");
}

#[test]
fn quick_two_operations() {
    let two = Configuration { losses: 1, ..Configuration::two() };
    check(&Configuration { extras: 0, ..two.clone() });
    check(&Configuration {
        extras: 1,
        answers: Answers::InTurn,
        gives_up: true,
        reports_stuck: true,
        ..two
    });
}

#[test]
fn quick_three_operations() {
    let three = Configuration { losses: 1, extras: 1, ..Configuration::three() };
    check(&three);
    check(&Configuration { completions: 7, extras: 0, ..three.clone() });
    check(&Configuration { completions: 5, closes: true, ..three.clone() });
    check(&Configuration { in_line: true, ..three });
}

#[test]
fn quick_more_losses_and_more_operations() {
    check(&Configuration { losses: 2, extras: 0, ..Configuration::three() });
    check(&Configuration { losses: 0, ..Configuration::four() });
}
