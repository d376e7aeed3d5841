//! Options of tcpdump: those that say here what they say there, those that change nothing here,
//! and what to do instead of the others.

use super::limits::packets;
use clap::{ArgAction, Args, ValueHint};
use std::path::PathBuf;

/// What tcpdump's users type before a file.
#[derive(Debug, Args)]
pub(super) struct TcpdumpArgs {
    /// Stop after so many packets
    ///
    /// Packets that the filter leaves out do not count.
    #[arg(short = 'c', value_name = "COUNT", value_parser = packets, allow_negative_numbers = true)]
    pub(super) count: Option<u64>,

    /// Read the filter from this file
    ///
    /// It may fill many lines, and what stands behind a # is a comment; - is the standard input.
    #[arg(short = 'F', value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) filter_file: Option<PathBuf>,

    /// Packets are written when all of them are known.
    #[arg(short = 'U', hide = true)]
    packet_by_packet: bool,

    /// Nothing is captured.
    #[arg(short = 'p', hide = true)]
    not_promiscuous: bool,

    /// What is captured already has its length.
    #[arg(short = 's', hide = true, value_name = "SNAPLEN")]
    snap_length: Option<String>,

    #[command(flatten)]
    ignored: IgnoredArgs,
}

/// What changes nothing here, live or not.
#[derive(Debug, Args)]
pub(super) struct IgnoredArgs {
    /// Names are never looked up.
    #[arg(short = 'n', hide = true, action = ArgAction::Count)]
    numeric: u8,

    /// Moments always stand with date and time.
    #[arg(short = 't', hide = true, action = ArgAction::Count)]
    moments: u8,

    /// Output is written as it comes.
    #[arg(short = 'l', hide = true)]
    line_by_line: bool,

    /// Checksums are not looked at.
    #[arg(short = 'K', hide = true)]
    no_checksums: bool,

    /// Sequence numbers are always those of the packets.
    #[arg(short = 'S', hide = true)]
    absolute: bool,

    /// Hosts stand with their addresses, or with the names in the capture.
    #[arg(short = 'N', hide = true)]
    short_names: bool,
}

/// What to do instead of an option that is tcpdump's only.
pub(super) fn instead_of(option: &str) -> Option<&'static str> {
    let (_, instead) = INSTEAD.iter().find(|(letters, _)| {
        option.strip_prefix('-').is_some_and(|letter| letters.split(' ').any(|l| l == letter))
    })?;
    Some(instead)
}

const INSTEAD: &[(&str, &str)] = &[
    ("A X x", "packets are not printed; -v shows what each exchange carried"),
    ("i D B C G W Z Q", "files are read here; wirespan live captures, and has it"),
    ("I", "monitor mode is not set from here; pipe it in: tcpdump -I -U -w - | wirespan read -"),
    ("z", "no program is started from here; compress the files afterwards"),
    ("e", "frames are not printed; -vv shows what is known of the packets"),
    ("E M", "nothing is decrypted"),
    ("T", "protocols are recognised by what is said, whatever the port"),
    ("d y O", "wirespan bpf shows what a filter is compiled to"),
    ("L j J", "this is about capturing, for which tcpdump itself serves"),
];

/// What is taken without effect, for the long help.
pub(super) const WITHOUT_EFFECT: &str = "\
Taken as tcpdump has them, without effect: -n and -t (however often), -l, -p, -s SNAPLEN, -K, -N,
-S, -U. Names are never looked up, and moments always stand with their date.";
