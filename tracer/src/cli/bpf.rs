//! `wirespan bpf`: a filter expression in, the program that the kernel would run out.

use super::Exit;
use super::inputs::expression;
use super::install::write;
use anyhow::{Result, bail};
use clap::{ArgAction, Args, ValueHint};
use std::path::PathBuf;
use wirespan_capture::filter::image::{Form, image};
use wirespan_capture::filter::{Filter, link_named};
use wirespan_capture::packet::LinkType;

/// Show what a filter is compiled to, as tcpdump -d does
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct BpfArgs {
    /// A filter as tcpdump takes it (man pcap-filter); none accepts all packets
    #[arg(value_name = "FILTER")]
    words: Vec<String>,

    /// Take the filter from this file, in place of words
    #[arg(short = 'F', value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Option<PathBuf>,

    /// Compile for this link type, by the name that tcpdump -y takes, or by number
    #[arg(short = 'y', long, value_name = "TYPE", default_value = "EN10MB", value_parser = link)]
    link: LinkType,

    /// Print assembly (the default); -dd prints C, -ddd numbers
    #[arg(short = 'd', action = ArgAction::Count)]
    form: u8,

    /// Leave out libpcap's optimiser
    #[arg(short = 'O')]
    plainly: bool,

    /// Bytes that are kept of a packet; 0 is the default
    #[arg(short = 's', value_name = "SNAPLEN", default_value_t = MOST_KEPT, value_parser = snap_length, allow_negative_numbers = true)]
    snap_length: u32,
}

/// Runs the command.
pub(super) fn bpf(args: &BpfArgs) -> Result<Exit> {
    let expression = expression(&args.words, args.file.as_deref())?.unwrap_or_default();
    let compiled = if args.plainly {
        Filter::compile_plainly(&expression, args.link)
    } else {
        Filter::compile(&expression, args.link)
    };
    let filter = match compiled {
        Ok(filter) => filter.returning(args.snap_length),
        Err(error) => bail!(
            "filter {expression:?} on {}: {} (see man pcap-filter; --link names another link type)",
            error.link,
            error.reason.trim()
        ),
    };
    let form = match args.form {
        0 | 1 => Form::Assembly,
        2 => Form::C,
        _ => Form::Numbers,
    };
    write(image(filter.instructions(), form).as_bytes())
}

fn link(word: &str) -> Result<LinkType, String> {
    let unknown = "there is no such link type; name one such as EN10MB, LINUX_SLL, LINUX_SLL2, RAW";
    link_named(word).ok_or_else(|| unknown.to_owned())
}

fn snap_length(word: &str) -> Result<u32, String> {
    match word.parse() {
        Ok(0) => Ok(MOST_KEPT),
        Ok(length) if length <= MOST_KEPT => Ok(length),
        _ => Err(format!("name a number of bytes from 0 to {MOST_KEPT}")),
    }
}

/// tcpdump's own limit of what is kept of a packet.
const MOST_KEPT: u32 = 262_144;
const EXAMPLES: &str = "\
Examples:
  wirespan bpf tcp port 80                       as assembly
  wirespan bpf -ddd --link RAW 'tcp port 80'     as numbers; iptables -m bpf takes them
                                                 with commas in place of line ends
  wirespan bpf -O -F my.filter                   as it was before it was optimised";
