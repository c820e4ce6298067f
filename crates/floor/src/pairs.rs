//! Connected descriptors for programs that cannot make them: pipes there and back, or socket pairs.

use std::error::Error;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Where the program finds them: four numbers for each pair, in the order of [`Ends`].
const VARIABLE: &str = "BENCH_PAIRS";

/// The descriptors of one pair. On a socket pair, in and out of an end are one.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// What the near end reads.
    pub near_in: i32,
    /// What the near end writes.
    pub near_out: i32,
    /// What the far end reads.
    pub far_in: i32,
    /// What the far end writes.
    pub far_out: i32,
}

/// `KIND COUNT [--echo] -- PROGRAM ...`: makes the pairs and becomes the program. With `--echo` the far
/// ends are those of another process, which sends back what it is sent.
pub fn run(arguments: &[String]) -> Result<(), Box<dyn Error>> {
    let split = arguments.iter().position(|argument| argument == "--").ok_or("no program")?;
    let (options, program) = (&arguments[..split], &arguments[split + 1..]);
    let [kind, count, options @ ..] = options else { return Err("KIND COUNT".into()) };
    let echo = matches!(options, [flag] if flag == "--echo");
    let count: usize = count.parse()?;
    let pairs = (0..count).map(|_| make(kind)).collect::<io::Result<Vec<_>>>()?;
    let [name, rest @ ..] = program else { return Err("no program".into()) };
    if echo {
        let far: Vec<String> = pairs.iter().map(|pair| pair.far_in.to_string()).collect();
        for pair in &pairs {
            inherit(pair.far_in)?;
        }
        Command::new(std::env::current_exe()?).arg("echo").args(far).spawn()?;
        for pair in &pairs {
            // SAFETY: the descriptor was made above, and has no other owner.
            unsafe { libc::close(pair.far_in) };
        }
    }
    for pair in &pairs {
        inherit(pair.near_in)?;
        inherit(pair.near_out)?;
        if !echo {
            inherit(pair.far_in)?;
            inherit(pair.far_out)?;
        }
    }
    let text: Vec<String> = pairs
        .iter()
        .map(|ends| format!("{},{},{},{}", ends.near_in, ends.near_out, ends.far_in, ends.far_out))
        .collect();
    Err(Command::new(name).args(rest).env(VARIABLE, text.join(";")).exec().into())
}

/// The pairs that [`run`] left to this program.
pub fn inherited() -> io::Result<Vec<Ends>> {
    let wrong = || io::Error::other(format!("{VARIABLE} is not set as `floor pairs` sets it"));
    let text = std::env::var(VARIABLE).map_err(|_| wrong())?;
    text.split(';')
        .map(|pair| {
            let numbers: Vec<i32> = pair.split(',').filter_map(|one| one.parse().ok()).collect();
            let [near_in, near_out, far_in, far_out] = numbers[..] else { return Err(wrong()) };
            Ok(Ends { near_in, near_out, far_in, far_out })
        })
        .collect()
}

fn make(kind: &str) -> io::Result<Ends> {
    match kind {
        "pipe" => {
            let ([far_in, near_out], [near_in, far_out]) = (pipe()?, pipe()?);
            Ok(Ends { near_in, near_out, far_in, far_out })
        }
        "socketpair" => {
            let mut ends = [0; 2];
            // SAFETY: the array has room for both.
            let status = unsafe {
                libc::socketpair(
                    libc::AF_UNIX,
                    libc::SOCK_STREAM | libc::SOCK_CLOEXEC,
                    0,
                    ends.as_mut_ptr(),
                )
            };
            check(status)?;
            let [near, far] = ends;
            Ok(Ends { near_in: near, near_out: near, far_in: far, far_out: far })
        }
        _ => Err(io::Error::other(format!("pipe or socketpair, not {kind}"))),
    }
}

fn pipe() -> io::Result<[i32; 2]> {
    let mut ends = [0; 2];
    // SAFETY: the array has room for both.
    check(unsafe { libc::pipe2(ends.as_mut_ptr(), libc::O_CLOEXEC) })?;
    Ok(ends)
}

fn check(status: i32) -> io::Result<()> {
    if status < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// Leaves a descriptor open across exec.
fn inherit(descriptor: i32) -> io::Result<()> {
    // SAFETY: it touches no memory.
    check(unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) })
}
