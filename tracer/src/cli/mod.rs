//! The command line: words in, one command run, an exit code out.

mod exit;
mod usage;
mod limits;
mod names;
mod redact;
mod ids;
mod choose;
mod tcpdump;
mod signals;
mod show;
mod tracing;
mod captures;
mod read;
mod capture;
mod record;
mod live_run;
mod live;
mod join;
mod evaluate;
mod explain;
mod up_to;
mod inputs;
mod output;
mod send;
mod packets;
mod progress;
mod scrape;
mod metrics;
mod watch;
mod install;
mod bpf;
mod doctor;

pub use exit::Exit;

use crate::export::width::add_text;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
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

#[derive(Debug, Parser)]
#[command(
    name = "wirespan",
    version,
    about = ABOUT,
    override_usage = USAGE,
    after_help = read::EXAMPLES,
    max_term_width = 100,
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The commands, in the order in which they are listed.
#[derive(Debug, Subcommand)]
enum Command {
    Read(Box<read::ReadArgs>),
    Live(Box<live::LiveArgs>),
    Join(Box<join::JoinArgs>),
    Explain(Box<explain::ExplainArgs>),
    Evaluate(Box<evaluate::EvaluateArgs>),
    Bpf(bpf::BpfArgs),
    Doctor(doctor::DoctorArgs),
    Completions(install::CompletionsArgs),
    /// Write a page for man to the standard output
    #[command(after_help = install::PAGE)]
    Man,
}

fn run(mut words: Vec<OsString>) -> anyhow::Result<Exit> {
    if words.get(1).and_then(|word| word.to_str()).is_some_and(is_verbless) {
        words.insert(1, if captures(&words) { "live" } else { "read" }.into());
    }
    let command = words.get(1).and_then(|word| word.to_str()).unwrap_or("read").to_owned();
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) if !error.use_stderr() => {
            let text = error.render();
            let text =
                if io::stdout().is_terminal() { text.ansi().to_string() } else { text.to_string() };
            // Nobody is left to tell if even this cannot be printed.
            let _ = io::stdout().lock().write_all(&readable(&text));
            return Ok(Exit::Done);
        }
        Err(error) if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            complain(error.to_string().trim_end());
            return Ok(Exit::CouldNot);
        }
        Err(error) => anyhow::bail!(usage::explain(&error, &command)),
    };
    match cli.command {
        Command::Read(args) => read::read(&args),
        Command::Live(args) => live::live(&args),
        Command::Join(args) => join::join(&args),
        Command::Explain(args) => explain::explain(&args),
        Command::Evaluate(args) => evaluate::evaluate(&args),
        Command::Bpf(args) => bpf::bpf(&args),
        Command::Doctor(args) => doctor::doctor(&args),
        Command::Completions(args) => install::completions(&args, Cli::command()),
        Command::Man => install::man(Cli::command()),
    }
}

/// Whether the first word is no command: tcpdump's way, with an option or a file in front.
fn is_verbless(first: &str) -> bool {
    if ["-h", "--help", "-V", "--version", "--"].contains(&first) {
        return false;
    }
    let is_command = Cli::command().find_subcommand(first).is_some();
    !is_command && (first.starts_with('-') || inputs::is_input(first))
}

/// Whether words without a command are about capturing, as with tcpdump.
fn captures(words: &[OsString]) -> bool {
    let words = words.iter().skip(1).map(|word| word.to_string_lossy());
    let mut words = words.take_while(|word| word != "--");
    words.any(|word| {
        let short = |letter| word.starts_with(letter) && !word.starts_with("--");
        short("-i") || short("-D") || word.starts_with("--interface") || word == "--list-interfaces"
    })
}

/// Says something to the user; data goes to the standard output, talk goes here.
fn complain(text: &str) {
    // Names of files may hold what would do things to the terminal.
    let harmful = |c: char| c.is_control() && c != '\n';
    let text = text.replace(harmful, "·") + "\n";
    // Nobody is left to tell if the standard error is closed.
    let _ = io::stderr().lock().write_all(&readable(&text));
}

/// A text of ours in characters that the terminal shows.
fn readable(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    add_text(text, output::is_ascii_only(), &mut bytes);
    bytes
}

const ABOUT: &str = "Makes distributed traces out of network packets: which call caused which";
const USAGE: &str = "wirespan COMMAND [OPTIONS] ...
       wirespan [OPTIONS] -r FILE [FILTER]
       wirespan [OPTIONS] -i INTERFACE [FILTER]";
