#!/usr/bin/env bash
# portable-pty 0.9.0 (crates.io): to drop the writer types a newline and Ctrl-D, also into a terminal in raw mode.
#
# Expected: the documentation of MasterPty::take_writer: "Dropping the writer will send EOF to the slave end". An end of
# input carries no bytes; a program that read "abc" so far ends with "abc".
# Happens: drop writes two bytes, "\n" and the VEOF character. In the usual mode the program gets a newline that nobody
# sent (a half-typed line is submitted, as if Enter had been pressed). In raw mode both are data, 0a 04, and there is no end.
# Hurts: whoever drops or replaces a writer while a shell, an editor, a pager or ssh is at the other end: a line in the
# making is run. Binary protocols over a raw pty get two bytes too many.
# Instead: keep the writer as long as the terminal (std::mem::forget at the end), or write to your own copy of as_raw_fd().
set -euo pipefail
d=$(mktemp -d); trap 'rm -rf "$d"' EXIT; cd "$d"; mkdir src
cat >Cargo.toml <<'E'
[package]
name = "finding"
version = "0.0.0"
edition = "2021"
[dependencies]
portable-pty = "=0.9.0"
E
cat >src/main.rs <<'E'
use portable_pty::{native_pty_system, CommandBuilder, PtySize};
use std::io::{BufRead, BufReader, Write};

fn run(name: &str, mode: &str) {
    let pair = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new("sh");
    command.args(["-c", &format!("stty {mode}; echo ready; timeout --foreground 1 cat >seen; echo $? >status; od -An -tx1 seen")]);
    command.cwd(std::env::current_dir().unwrap());
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut output = BufReader::new(pair.master.try_clone_reader().unwrap());
    let mut writer = pair.master.take_writer().unwrap();
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready");
    writer.write_all(b"abc").unwrap();
    drop(writer);
    line.clear();
    output.read_line(&mut line).unwrap();
    child.wait().unwrap();
    let status = std::fs::read_to_string("status").unwrap();
    let ended = if status.trim() == "0" { "an end" } else { "no end" };
    println!("{name}: wrote 61 62 63, dropped; the program read {}, and {ended}", line.trim());
}

fn main() {
    run("usual mode", "-echo");
    run("raw mode", "raw -echo");
}
E
nice cargo build --quiet 2>&1; grep -A1 -E '^name = "portable-pty"' Cargo.lock | paste -sd' '
./target/debug/finding | tee out
grep -q '^usual mode: .* read 61 62 63 0a, and an end$' out
grep -q '^raw mode: .* read 61 62 63 0a 04, and no end$' out
