//! The command line: words in, one command run, an exit code out.

mod exit;
mod read;
mod inputs;
mod progress;

pub use exit::Exit;

use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    match run(std::env::args_os().collect()) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            complain(&format!("wirespan: {failure:#}"));
            Exit::CouldNot.into()
        }
    }
}

/// A distributed tracer that needs nothing but packets.
///
/// `wirespan read FILE` shows the traces of a capture; `wirespan -r FILE tcp port 80` is the same
/// with a filter, as tcpdump's users type it.
#[derive(Debug, Parser)]
#[command(name = "wirespan", version, max_term_width = 100, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Read(Box<read::ReadArgs>),
}

fn run(mut words: Vec<OsString>) -> anyhow::Result<Exit> {
    // tcpdump's way: options and filter without a verb.
    let verbless = words.get(1).and_then(|word| word.to_str()).is_some_and(|word| {
        word.starts_with('-') && !["-h", "--help", "-V", "--version", "--"].contains(&word)
    });
    if verbless {
        words.insert(1, "read".into());
    }
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::CouldNot } else { Exit::Done };
            // Nobody is left to tell if even this cannot be printed.
            let _ = error.print();
            return Ok(exit);
        }
    };
    match cli.command {
        Command::Read(args) => read::read(&args),
    }
}

/// Says something to the user; data goes to the standard output, talk goes here.
fn complain(text: &str) {
    // Nobody is left to tell if the standard error is closed.
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
