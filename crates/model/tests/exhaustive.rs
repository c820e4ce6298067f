//! Every state of every model, for a kernel that loses two cancels of each operation and for one that loses
//! three. `cargo test -p uring-safe-cancel-model --test exhaustive -- --nocapture` prints how many.

use uring_safe_cancel_model::report::explore;
use uring_safe_cancel_model::Configuration;

/// Explores the models for `losses`. Each must have at least so many thousand states as `fewest` says, a
/// little less than it has, so that a model that silently stops exploring fails.
fn check(losses: u8, fewest: &[usize]) {
    let models = Configuration::all(losses);
    assert_eq!(models.len(), fewest.len());
    for (model, &fewest) in models.iter().zip(fewest) {
        let report = explore(model, 1);
        println!("{report}");
        assert!(report.found.is_empty(), "{report}");
        assert!(report.unique >= fewest * 1_000, "{report}");
    }
}

#[test]
fn all_clauses_hold_with_two_lost_cancels() {
    check(2, &[170, 84, 170, 136, 1_340, 310, 300, 690, 105]);
}

#[test]
fn all_clauses_hold_with_three_lost_cancels() {
    check(3, &[300, 134, 420, 37, 325, 600, 78, 66, 200]);
}
