//! Short runs of the real thing, and proofs that its checks can fail.

use std::io::Write;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use uring_safe_cancel::tokio::File;
use uring_safe_cancel_stress::{eventfd, run, run_on, Limit, Mode, Scenario};

fn scenario(add: u64, asynchronous: bool, rounds: u64) -> Scenario {
    let spin = Duration::from_micros(if asynchronous { 30 } else { 0 });
    let limit =
        Limit { rounds: Some(rounds), time: Some(Duration::from_secs(60)), until_lost: false };
    Scenario { name: "test", threads: 4, add, asynchronous, spin, limit }
}

#[test]
fn safe_loses_nothing() {
    for (add, asynchronous) in [(0, false), (1, false), (0, true), (1, true)] {
        let report = run(&scenario(add, asynchronous, 3000), Mode::Safe).unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
        assert_eq!((report.tally.rounds, report.tally.settled), (12_000, 36_000));
        assert_eq!(report.tally.lost.total(), 0);
        if add == 0 {
            assert_eq!(report.tally.reads_completed, 0);
        }
    }
}

#[test]
fn raw_loses_perhaps_and_invents_nothing() {
    let report = run(&scenario(1, true, 1000), Mode::Raw).unwrap();
    assert!(report.problems.is_empty(), "{:?}", report.problems);
    let (tally, ring) = (&report.tally, &report.tally.ring);
    assert_eq!(tally.settled, 12_000);
    // One that ends while it is reported is not lost.
    assert!(tally.lost.total() <= ring.stuck);
    assert!(ring.reissues >= tally.lost.total());
    if tally.lost.total() == 0 {
        assert_eq!(ring.max_attempts, 1, "one cancel is trusted");
    }
}

#[test]
fn a_value_out_of_nowhere_is_found() {
    let scenario = scenario(1, false, 200);
    let eventfds: Arc<[File]> = (0..4).map(|_| eventfd::new().unwrap()).collect();
    let mut from_outside: std::fs::File = eventfds[2].as_fd().try_clone_to_owned().unwrap().into();
    from_outside.write_all(&5u64.to_ne_bytes()).unwrap();
    let report = run_on(&eventfds, &scenario, Mode::Safe).unwrap();
    assert_eq!(report.problems.len(), 1, "{:?}", report.problems);
    assert!(report.problems[0].contains("the writes added 800"), "{:?}", report.problems);
    assert_eq!(report.tally.sum_read + report.left, 805);
}

#[test]
fn a_read_that_completes_although_nothing_was_added_is_found() {
    let eventfds: Arc<[File]> = (0..4).map(|_| eventfd::new().unwrap()).collect();
    let mut from_outside: std::fs::File = eventfds[0].as_fd().try_clone_to_owned().unwrap().into();
    from_outside.write_all(&1u64.to_ne_bytes()).unwrap();
    let report = run_on(&eventfds, &scenario(0, false, 200), Mode::Raw).unwrap();
    let problems = report.problems.join("; ");
    assert!(problems.contains("1 reads completed all the same"), "{problems}");
}

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_uring-safe-cancel-stress"))
}

#[test]
fn the_program_prints_a_table_and_exits_with_zero() {
    let output = program().args(["--rounds", "50", "--mode", "both"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    for part in ["as reported: ", "provoked: ", "raw", "safe", "p99", "rounds/s"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(output.stderr.is_empty(), "no progress line without a terminal");
}

#[test]
fn the_program_prints_json() {
    let arguments = ["--rounds", "20", "--async", "--spin", "5", "--add", "1", "--json"];
    let output = program().args(arguments).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["ok"], true);
    let runs = document["runs"].as_array().unwrap();
    assert_eq!(
        (runs.len(), &runs[0]["mode"], &runs[1]["mode"]),
        (2, &"raw".into(), &"safe".into())
    );
    assert_eq!(runs[1]["lost"]["total"], 0);
    assert_eq!(runs[1]["spinMicroseconds"], 5);
}

#[test]
fn wrong_arguments_are_an_error_of_their_own() {
    let output = program().args(["--threads", "2"]).output().unwrap();
    assert_eq!(output.status.code(), Some(64));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("from 3 to 4096") && text.contains("Usage"), "{text}");
}
