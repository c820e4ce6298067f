//! Explores the models of `cargo test`, as they are or larger.

use lexopt::prelude::*;
use std::process::ExitCode;
use uring_safe_cancel_model::configuration::Answers;
use uring_safe_cancel_model::report::explore;
use uring_safe_cancel_model::Configuration;

const HELP: &str = "\
Usage: uring-safe-cancel-model [options]

Visits every state of the cancellation machine and the in-flight table under a hostile kernel, and prints
how many there were. Exit status: 0; 1 if a property fails, with the way to where; 64 for wrong arguments.

  --losses N      how many cancels of one operation the kernel may lose (default 3)
  --extras N      how often it may interrupt, send F_MORE or answer -EAGAIN (default 4 less the losses)
  --every-answer  each answer to each cancel in all models (default: in those of two operations)
  --threads N     default 1
  --help          print this

With --extras 1 --every-answer the largest model with 2 losses has 9 million states, and takes minutes.";

/// A larger number is a typing error: the states would not fit into memory.
const MOST: u8 = 9;

struct Arguments {
    losses: u8,
    extras: Option<u8>,
    every_answer: bool,
    threads: usize,
    help: bool,
}

fn parse() -> Result<Arguments, lexopt::Error> {
    let mut parsed =
        Arguments { losses: 3, extras: None, every_answer: false, threads: 1, help: false };
    let mut parser = lexopt::Parser::from_env();
    let up_to = |most: u8| {
        move |text: &str| match text.parse() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(format!("not a number from 0 to {most}")),
        }
    };
    while let Some(argument) = parser.next()? {
        match argument {
            Long("losses") => parsed.losses = parser.value()?.parse_with(up_to(MOST))?,
            Long("extras") => parsed.extras = Some(parser.value()?.parse_with(up_to(MOST))?),
            Long("every-answer") => parsed.every_answer = true,
            Long("threads") => {
                parsed.threads = usize::from(parser.value()?.parse_with(up_to(u8::MAX))?).max(1);
            }
            Long("help") | Short('h') => parsed.help = true,
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(parsed)
}

fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            return ExitCode::from(64);
        }
    };
    if arguments.help {
        println!("{HELP}");
        return ExitCode::SUCCESS;
    }
    let mut holds = true;
    for mut model in Configuration::all(arguments.losses) {
        model.extras = arguments.extras.unwrap_or(model.extras);
        if arguments.every_answer {
            model.answers = Answers::All;
        }
        let report = explore(&model, arguments.threads);
        println!("{report}");
        holds &= report.found.is_empty();
    }
    if holds {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
