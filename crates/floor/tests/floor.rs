//! The floor does what it is asked, and fails where the work was not done.

use serde_json::{json, Value};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const FLOOR: &str = env!("CARGO_BIN_EXE_floor");
const BLOCK: usize = 4096;

/// A file of 64 blocks, each beginning with its number plus `change`; gone at the test's end.
struct Blocks(PathBuf);

impl Blocks {
    fn new(name: &str, change: u32) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let content: Vec<u8> = (0..64_u32)
            .flat_map(|block| {
                let mut bytes = vec![0; BLOCK];
                bytes[..4].copy_from_slice(&(block + change).to_le_bytes());
                bytes
            })
            .collect();
        fs::write(&path, content).expect("a file");
        Self(path)
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn ask(arguments: &[&str], requests: &[Value]) -> Output {
    let mut child = Command::new(FLOOR)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the floor starts");
    let mut input = child.stdin.take().expect("a pipe");
    for request in requests {
        // One that panicked no longer reads.
        let _ = writeln!(input, "{request}");
    }
    drop(input);
    child.wait_with_output().expect("the floor ends")
}

fn slice(concurrency: u32, operations: u32) -> Value {
    json!({ "concurrency": concurrency, "operations": operations, "measure": "speed" })
}

/// The answers to requests, after the greeting.
fn answers(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let greeting: Value = lines
        .next()
        .unwrap_or_else(|| panic!("no greeting: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(greeting["ready"], true);
    lines.collect()
}

/// Serves a work at two concurrencies, and checks what the answers have in common.
fn check(launcher: &[&str], work: &Value) {
    let text = work.to_string();
    let arguments = [launcher, &["serve", &text]].concat();
    let output = ask(&arguments, &[slice(1, 20), slice(4, 40)]);
    let answers = answers(&output);
    assert_eq!(answers.len(), 2, "{work}: {output:?}");
    for (answer, operations) in answers.iter().zip([20, 40]) {
        assert_eq!(answer["operations"], operations, "{work}: {answer}");
        assert!(answer["nanoseconds"].as_u64().is_some_and(|time| time > 0), "{work}: {answer}");
        assert!(answer["cpu"]["user"].is_u64() && answer["cpu"]["system"].is_u64(), "{answer}");
    }
    assert!(output.status.success(), "{work}: {output:?}");
}

#[test]
fn every_work_does_as_many_operations_as_asked() {
    let blocks = Blocks::new("works", 0);
    let path = &blocks.0;
    for work in [
        json!({ "work": "nop" }),
        json!({ "work": "read", "path": path }),
        json!({ "work": "read", "path": path, "registered": true }),
        json!({ "work": "read", "path": path, "length": 4 * BLOCK, "sequential": true }),
        json!({ "work": "cancel" }),
        json!({ "work": "cancel", "timeout": 1 }),
        json!({ "work": "workers", "path": path, "lanes": 3 }),
        json!({ "work": "write", "path": path }),
    ] {
        check(&[], &work);
    }
}

#[test]
fn pairs_are_connected_here_and_to_the_echo() {
    for kind in ["pipe", "socketpair"] {
        check(&["pairs", kind, "4", "--", FLOOR], &json!({ "work": "ping-pong" }));
    }
    check(&["pairs", "socketpair", "4", "--echo", "--", FLOOR], &json!({ "work": "echo" }));
}

#[test]
fn latencies_are_told_where_asked_for() {
    let request = json!({ "concurrency": 2, "operations": 100, "measure": "latency" });
    let output = ask(&["serve", r#"{"work":"nop"}"#], &[request]);
    let latencies = &answers(&output)[0]["latencies"];
    let [p50, p99, p999] = ["p50", "p99", "p999"].map(|key| latencies[key].as_u64().expect(key));
    assert!(0 < p50 && p50 <= p99 && p99 <= p999, "{latencies}");
}

#[test]
fn a_read_of_other_content_ends_the_floor() {
    let blocks = Blocks::new("wrong", 1);
    let work = json!({ "work": "read", "path": blocks.0 }).to_string();
    let output = ask(&["serve", &work], &[slice(1, 1)]);
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("the block that was asked for"), "{errors}");
}

#[test]
fn what_cannot_be_done_is_said() {
    for (arguments, part) in [
        (&["serve", r#"{"work":"sleep"}"#][..], "no such work"),
        (&["serve", r#"{"work":"read","path":"/nowhere/to/be/found"}"#], "No such file"),
        (&["serve", r#"{"work":"ping-pong"}"#], "BENCH_PAIRS"),
        (&["pairs", "fifo", "1", "--", FLOOR], "pipe or socketpair"),
        (&[], "usage"),
    ] {
        let output = ask(arguments, &[]);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(part), "{arguments:?}: {errors}");
    }
}
