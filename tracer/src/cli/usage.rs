//! What is wrong with the words of a command line, in one line.

use super::tcpdump::instead_of;
use clap::error::{ContextKind, Error, ErrorKind};
use std::error::Error as _;

/// Says what is wrong with the words of a command, and where it would be better.
pub(super) fn explain(error: &Error, command: &str) -> String {
    let see = format!("(see wirespan {command} --help)");
    let text = |kind| error.get(kind).map(ToString::to_string).filter(|text| !text.is_empty());
    let option = text(ContextKind::InvalidArg).unwrap_or_default();
    // `--threads <N>` is called --threads.
    let name = option.split(' ').next().unwrap_or_default();
    let value = text(ContextKind::InvalidValue);
    match (error.kind(), value) {
        (ErrorKind::UnknownArgument, _) if instead_of(name).is_some() => {
            format!("there is no option {name}: {}", instead_of(name).unwrap_or_default())
        }
        (ErrorKind::UnknownArgument, _) => {
            let meant = text(ContextKind::SuggestedArg).map_or_else(String::new, |other| {
                format!(", did you mean {}?", other.split(' ').next().unwrap_or_default())
            });
            format!("there is no option {name}{meant} {see}")
        }
        (ErrorKind::InvalidSubcommand, _) => {
            let word = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            let meant = text(ContextKind::SuggestedSubcommand)
                .map_or_else(String::new, |other| format!(", did you mean {other}?"));
            format!(
                "{word}: there is no such command and no such file{meant} (see wirespan --help)"
            )
        }
        (ErrorKind::InvalidValue, None) => format!("{name} needs a value {see}"),
        (ErrorKind::InvalidValue, Some(value)) => {
            let values = text(ContextKind::ValidValue).unwrap_or_default();
            format!("{name} {value}: name one of {values}")
        }
        (ErrorKind::ValueValidation, value) => {
            let given = value.map_or_else(String::new, |value| format!(" {value}"));
            match error.source() {
                Some(reason) => format!("{name}{given}: {reason}"),
                None => format!("{name}{given}: this is no value for it {see}"),
            }
        }
        (ErrorKind::ArgumentConflict, _) => {
            let prior = text(ContextKind::PriorArg).unwrap_or_default();
            match prior.split(' ').next().unwrap_or_default() {
                other if other.is_empty() || other == name => {
                    format!("{name} was given twice {see}")
                }
                other => format!("{name} cannot be used with {other} {see}"),
            }
        }
        (ErrorKind::MissingRequiredArgument, _) if !option.is_empty() => {
            let usage = text(ContextKind::Usage).unwrap_or_default();
            let usage = usage.lines().next().unwrap_or_default();
            let usage = usage.trim_start_matches("Usage:").trim();
            let are = if option.contains(", ") { "are" } else { "is" };
            format!("{option} {are} missing; say {usage} {see}")
        }
        _ => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            format!("{} {see}", line.trim_start_matches("error: "))
        }
    }
}
