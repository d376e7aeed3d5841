//! What a system wants to know of the program: completions for its shells, and a page for man.

use super::Exit;
use super::output::failure;
use super::read::{BARS, EXAMPLES, EXIT_CODES, FIXED_LIMITS};
use super::tcpdump::WITHOUT_EFFECT;
use anyhow::Result;
use clap::builder::PossibleValue;
use clap::{Arg, Args, Command};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};
use std::io::{self, Write};

/// Write completions for a shell to the standard output
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS)]
pub(super) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Runs `completions`.
pub(super) fn completions(args: &CompletionsArgs, mut program: Command) -> Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut program, "wirespan", &mut script);
    if args.shell == Shell::Bash {
        script.extend_from_slice(FILES_IN_BASH.as_bytes());
    }
    write(&script)
}

/// Runs `man`: one page for all commands.
pub(super) fn man(program: Command) -> Result<Exit> {
    let mut page = Vec::new();
    // Writing to memory does not fail.
    let _ = render(described(program), &mut page);
    write(tidy(&String::from_utf8_lossy(&page)).as_bytes())
}

/// The program without what says nothing on a page: that there is help, and lists of values, which
/// stand with the options instead.
fn described(program: Command) -> Command {
    let with_values = |option: Arg| {
        let option = option.hide_short_help(false);
        let values = option.get_possible_values();
        let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
        // Where each value is explained, they stand below the option, as in the help.
        let are_explained = values.iter().any(|value| value.get_help().is_some());
        let takes_values =
            option.get_action().takes_values() && !names.is_empty() && !are_explained;
        let names = names.join("|");
        if takes_values { option.value_name(names).hide_possible_values(true) } else { option }
    };
    let mut program = program.disable_help_flag(true).disable_version_flag(true);
    let names: Vec<String> =
        program.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    for name in names {
        program = program
            .mut_subcommand(name, |command| command.disable_help_flag(true).mut_args(with_values));
    }
    program.build();
    program
}

fn render(program: Command, page: &mut Vec<u8>) -> io::Result<()> {
    let mut head = Roff::new();
    let version = format!("wirespan {}", program.get_version().unwrap_or_default());
    head.control("TH", ["WIRESPAN", "1", CHANGED, &version, "wirespan"]);
    head.control("SH", ["NAME"]);
    let about = |command: &Command| command.get_about().map(ToString::to_string);
    head.text([roman(format!("wirespan - {}", about(&program).unwrap_or_default()))]);
    head.control("SH", ["SYNOPSIS"]);
    let usages: Vec<String> = program.get_subcommands().map(usage).collect();
    for (place, usage) in usages.iter().flat_map(|usages| usages.lines()).enumerate() {
        if place > 0 {
            head.control("br", []);
        }
        head.text([bold("wirespan"), roman(usage.trim().trim_start_matches("wirespan"))]);
    }
    head.control("SH", ["DESCRIPTION"]);
    head.text([roman(DESCRIPTION)]);
    head.to_writer(page)?;
    for command in program.get_subcommands() {
        let mut section = Roff::new();
        section.control("SH", [format!("wirespan {}", command.get_name()).as_str()]);
        section.text([roman(format!("{}.", about(command).unwrap_or_default()))]);
        section.to_writer(page)?;
        let mut options = Vec::new();
        Man::new(command.clone()).render_options_section(&mut options)?;
        // The groups of options are parts of the command's section.
        let options = String::from_utf8_lossy(&options).replace("\n.SH ", "\n.SS ");
        page.extend_from_slice(options.as_bytes());
    }
    let mut tail = Roff::new();
    for (title, text) in [("TCPDUMP", WITHOUT_EFFECT), ("LIMITS", FIXED_LIMITS)] {
        tail.control("SH", [title]);
        tail.text([roman(text.replace('\n', " "))]);
    }
    for text in [BARS, EXIT_CODES, EXAMPLES] {
        let (title, lines) = text.split_once(":\n").unwrap_or(("", text));
        tail.control("SH", [title.to_uppercase().as_str()]);
        tail.control("nf", []);
        tail.text([roman(lines)]);
        tail.control("fi", []);
    }
    tail.control("SH", ["SEE ALSO"]);
    tail.text([bold("tcpdump"), roman("(8), "), bold("pcap-filter"), roman("(7)")]);
    tail.to_writer(page)
}

/// The page with its lines as short as man wants them, and each definition only once.
fn tidy(page: &str) -> String {
    let mut tidied = String::new();
    let mut filled = true;
    for line in page.lines() {
        let is_definition = line.starts_with(".ie ") || line.starts_with(".el ");
        if is_definition && tidied.contains(line) {
            continue;
        }
        filled = (filled && line != ".nf") || line == ".fi";
        if line.is_empty() && filled {
            tidied.push_str(".sp");
        } else if filled && !line.starts_with('.') {
            let mut column = 0;
            for word in line.split(' ') {
                // A word that begins so at the start of a line would be an order.
                let may_begin = !word.starts_with(['.', '\'']);
                if column > 0 && column + word.len() >= LONGEST && may_begin {
                    tidied.push('\n');
                    column = 0;
                } else if column > 0 {
                    tidied.push(' ');
                }
                tidied.push_str(word);
                column += word.len() + 1;
            }
        } else {
            tidied.push_str(line);
        }
        tidied.push('\n');
    }
    // Of a space, breaks around it say nothing.
    tidied.replace("\n.br\n.sp\n.br\n", "\n.sp\n")
}

/// How a command is called, a line each way.
fn usage(command: &Command) -> String {
    let usage = command.clone().render_usage().to_string();
    usage.trim_start_matches("Usage:").trim().to_owned()
}

/// Writes to the standard output what was made at once.
pub(super) fn write(bytes: &[u8]) -> Result<Exit> {
    let mut output = io::stdout().lock();
    match output.write_all(bytes).and_then(|()| output.flush()) {
        // Whoever reads has seen enough, as head has.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Done),
        Err(error) => Err(failure("standard output", &error)),
        Ok(()) => Ok(Exit::Done),
    }
}

/// The generated function offers options where none was begun, so that no files would be.
const FILES_IN_BASH: &str = r#"
_wirespan_words() {
    _wirespan "$@"
    [[ "$2" == -* ]] && return
    local word words=()
    for word in "${COMPREPLY[@]}"; do
        [[ "${word}" == -* ]] || words+=("${word}")
    done
    COMPREPLY=("${words[@]}")
}

complete -F _wirespan_words -o bashdefault -o default wirespan
"#;
/// Columns of a line in the page's source.
const LONGEST: usize = 78;
/// When what the page says was changed last.
const CHANGED: &str = "2026-11-25";
const DESCRIPTION: &str = "\
Reads captures, decodes the requests and responses in them, and joins those that belong together: \
which call caused which. The programs that it looks at need no change, no agent and no library. \
Traces go to the standard output, everything else to the standard error.";
/// Where man looks for its pages.
pub(super) const PAGE: &str = "\
Where man looks for it:
  wirespan man > /usr/local/share/man/man1/wirespan.1
To read it once:
  wirespan man | man -l -";
const COMPLETIONS: &str = "\
Where shells look for them:
  wirespan completions bash > ~/.local/share/bash-completion/completions/wirespan
  wirespan completions zsh > ~/.zfunc/_wirespan       with fpath+=~/.zfunc before compinit
  wirespan completions fish > ~/.config/fish/completions/wirespan.fish";
