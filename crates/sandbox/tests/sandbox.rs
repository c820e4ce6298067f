//! What commands meet in the sandbox. The command is this test program, run again as the stress program.

use std::path::PathBuf;
use std::process::{Command, Output};

const INSIDE: &str = "URING_SAFE_CANCEL_INSIDE_SANDBOX";

/// Not a test outside of the sandbox: inside, it is the stress program.
#[test]
fn inside() {
    if let Ok(arguments) = std::env::var(INSIDE) {
        let arguments = arguments.split_whitespace().map(Into::into);
        std::process::exit(uring_safe_cancel_stress::program::main(arguments).into());
    }
}

/// A copy of this program where every user may run it.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        let name = format!("uring-safe-cancel-sandbox-{}-{name}", std::process::id());
        let copy = Self(std::env::temp_dir().join(name));
        std::fs::copy(std::env::current_exe().unwrap(), &copy.0).unwrap();
        copy
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

fn is_root() -> bool {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

fn sandbox(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sandbox"));
    command.args(options).arg("--");
    command
}

fn stress(options: &[&str], name: &str, arguments: &str) -> (Option<i32>, String) {
    let copy = Copy::new(name);
    let mut command = sandbox(options);
    command.arg(&copy.0).args(["--exact", "inside", "--nocapture"]).env(INSIDE, arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    (status.code(), text.into_owned())
}

#[test]
fn without_restrictions_the_command_just_runs() {
    let (status, text) = stress(&[], "plain", "--rounds 5 --mode safe");
    assert_eq!(status, Some(0), "{text}");
}

#[test]
fn without_io_uring_the_stress_program_says_why_and_exits_with_two() {
    let (status, text) = stress(&["--no-io-uring"], "eperm", "--rounds 5");
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("EPERM") && text.contains("seccomp"), "{text}");
    let (status, text) = stress(&["--io-uring-errno", "ENOSYS"], "enosys", "--rounds 5");
    assert_eq!(status, Some(2), "{text}");
    // The kernel is new enough: somebody answers for it.
    assert!(text.contains("ENOSYS") && text.contains("seccomp"), "{text}");
    // A ring can be made, and not be used.
    let (status, text) = stress(&["--io-uring-call", "enter"], "enter", "--rounds 5");
    assert_eq!(status, Some(2), "{text}");
    assert!(text.contains("EPERM") && text.contains("seccomp"), "{text}");
    // What only the probe needs.
    let (status, text) = stress(&["--io-uring-call", "register"], "register", "--rounds 5");
    assert_eq!(status, Some(0), "{text}");
}

#[test]
fn without_locked_memory_there_is_a_clear_error_or_the_kernel_does_not_count_it() {
    // Root is above the limit.
    let user: &[&str] = if is_root() { &["--uid", "65534"] } else { &[] };
    let options = |bytes| [user, &["--memlock", bytes]].concat();
    let (status, text) = stress(&options("0"), "memlock", "--rounds 5 --mode safe");
    match status {
        // Rings count since 6.14, and before 5.12.
        Some(2) => assert!(text.contains("ENOMEM") && text.contains("ulimit -l"), "{text}"),
        Some(0) => println!("this kernel does not count rings"),
        _ => panic!("{text}"),
    }
    // Root is above the limit, and tells that the zero was it.
    if is_root() {
        let (status, text) = stress(&["--memlock", "0"], "root", "--rounds 5 --mode safe");
        assert_eq!(status, Some(0), "{text}");
    }
}

/// Half of the time since the machine started, in seconds: the clock cannot be set back further than to its beginning.
fn half_of_uptime() -> i64 {
    let text = std::fs::read_to_string("/proc/uptime").unwrap();
    let seconds: f64 = text.split_whitespace().next().unwrap().parse().unwrap();
    (seconds / 2.0) as i64
}

#[test]
fn clause_2_live_lost_cancels_are_issued_again_whatever_the_monotonic_clock_says() {
    if !is_root() {
        let output = sandbox(&["--monotonic", "1000"]).arg("true").output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        return;
    }
    for offset in [1000, -half_of_uptime()] {
        let script = "cat /proc/uptime; cat /proc/self/timens_offsets; exit 7";
        let offset = offset.to_string();
        let options = ["--monotonic", &offset];
        let output = sandbox(&options).args(["sh", "-c", script]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(7), "the command's status");
        assert!(text.contains(&offset), "{text}");
        let arguments = "--rounds 300 --mode safe --async --spin";
        let (status, text) = stress(&options, &format!("clock{offset}"), arguments);
        assert_eq!(status, Some(0), "{text}");
        println!("with a clock that is {offset} s ahead:\n{text}");
    }
}

/// The lowest number that is free in a command of this process: what has started the tests may have left
/// descriptors to it.
fn lowest_free_in_commands() -> i32 {
    // SAFETY: the call takes two integers; a closed number is an error of its own.
    let flags = |number| unsafe { libc::fcntl(number, libc::F_GETFD) };
    let is_inherited = |number| matches!(flags(number), flags if flags & libc::FD_CLOEXEC == 0);
    (0..).find(|&number| !is_inherited(number)).expect("a number is free")
}

#[test]
fn without_descriptors_there_is_a_clear_error() {
    // One: the dynamic linker needs it.
    let limit = (lowest_free_in_commands() + 1).to_string();
    let (status, text) = stress(&["--nofile", &limit], "nofile", "--rounds 5");
    assert_ne!(status, Some(0), "{text}");
    assert!(text.contains("EMFILE") || text.contains("Too many open files"), "{text}");
}

#[test]
fn the_commands_user_and_group_are_those_asked_for() {
    if !is_root() {
        let output = sandbox(&["--uid", "65534"]).arg("true").output().unwrap();
        assert_eq!(output.status.code(), Some(125));
        return;
    }
    let script = "echo $(id -u) $(id -g) $(id -G)";
    let output = sandbox(&["--uid", "65534"]).args(["sh", "-c", script]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "65534 65534 65534");
}

#[test]
fn failures_of_its_own_have_exit_statuses_of_their_own() {
    for (options, command, status, part) in [
        (&["--frob"][..], "true", 125, "--frob"),
        (&[], "/no/such/command", 127, "/no/such/command"),
        (&[], "/etc/passwd", 126, "/etc/passwd"),
    ] {
        let output = sandbox(options).arg(command).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{text}");
        assert!(text.contains(part), "{text}");
    }
    let output = sandbox(&["--nofile", "7"]).args(["sh", "-c", "ulimit -n; exit 9"]).output();
    let output = output.unwrap();
    assert_eq!((output.status.code(), &output.stdout[..]), (Some(9), &b"7\n"[..]));
}
