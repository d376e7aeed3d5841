//! Options that say what is captured from interfaces, and how.

use super::complain;
use super::inputs::expression;
use super::limits::packets;
use crate::load::limits::ring_bytes;
use crate::processes::{self, Asking};
use anyhow::{Result, bail};
use clap::{Args, ValueEnum, ValueHint};
use std::path::PathBuf;
use wirespan_capture::source::live::{
    self, Direction, LiveError, LiveSource, Options, RING_BYTES, SNAPLEN, devices, namespace,
};

/// What is captured, and how.
#[derive(Debug, Args)]
#[command(next_help_heading = CAPTURE)]
pub(super) struct CaptureArgs {
    /// The interfaces to capture on, or any for all of them [default: any]
    ///
    /// Several, with commas between or each with -i, are merged by time. The two interfaces of a
    /// passive TAP, each with one direction, are found to be one capture point.
    #[arg(short, long, value_name = "IF,…", value_delimiter = ',')]
    interface: Vec<String>,

    /// List the interfaces that can be captured on
    #[arg(short = 'D', long)]
    pub(super) list_interfaces: bool,

    /// Read the filter from this file
    #[arg(short = 'F', value_name = "FILE", value_hint = ValueHint::FilePath)]
    filter_file: Option<PathBuf>,

    /// Keep so many bytes of each packet, 0 for 262144
    ///
    /// What is cut off is missing in requests and responses; the counts say of how many packets
    /// something is.
    #[arg(short, long, value_name = "BYTES", default_value = "262144", value_parser = snaplen)]
    snapshot_length: i32,

    /// Do not put interfaces into promiscuous mode
    #[arg(short = 'p', long)]
    no_promiscuous_mode: bool,

    /// KiB of the ring in which packets wait, of each interface and worker [default: 65536, less
    /// where all rings would take more than an eighth of the memory]
    #[arg(short = 'B', long, value_name = "KIB", value_parser = kibibytes)]
    buffer_size: Option<i32>,

    /// Only packets that come in, or that go out
    #[arg(short = 'Q', long, value_name = "DIRECTION", value_enum, default_value_t = Way::Inout)]
    direction: Way,

    /// End after so many packets
    #[arg(short = 'c', value_name = "COUNT", value_parser = packets, allow_negative_numbers = true)]
    pub(super) count: Option<u64>,

    /// Take packets out of the ring at once, after a millisecond, and not after 40
    #[arg(long, visible_alias = "immediate-mode")]
    immediate: bool,

    /// Rings for each interface, emptied at the same time; flows are dealt out among them
    ///
    /// The exchanges are the same whatever their number.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = workers)]
    workers: usize,

    /// Become this user once sockets are open [default, as root: who called sudo, else nobody]
    ///
    /// USER or USER:GROUP; root stays root. Files of a series (-C, -G) are made as that user.
    #[arg(short = 'Z', long, value_name = "USER")]
    pub(super) relinquish_privileges: Option<String>,

    /// Capture in this network namespace: a name of ip netns, or a path as /proc/17/ns/net
    #[arg(long, value_name = "NAME")]
    pub(super) netns: Option<String>,

    /// Where the processes of this host are told of, which name services; none for nowhere
    ///
    /// In a container, the host's own, as in -v /proc:/host/proc. Processes of other users are seen
    /// by root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH.
    #[arg(long, value_name = "PATH", default_value = "/proc")]
    pub(super) proc: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Way {
    In,
    Out,
    Inout,
}

impl CaptureArgs {
    /// How to capture, of what these words of a filter leave, within these bounds of memory: what
    /// there is, and what is asked for.
    pub(super) fn options(
        &self,
        words: &[String],
        usable: Option<u64>,
        asked: Option<u64>,
    ) -> Result<Options> {
        let mut interfaces: Vec<String> = Vec::new();
        for name in &self.interface {
            if name.trim().is_empty() {
                bail!("-i: name an interface; wirespan live -D lists them");
            }
            if interfaces.contains(name) {
                bail!("-i {name}: it is named twice");
            }
            interfaces.push(name.clone());
        }
        if interfaces.is_empty() {
            interfaces.push("any".to_owned());
        }
        if interfaces.len() > 1 && interfaces.iter().any(|name| live::is_any(name)) {
            bail!("-i any captures on all interfaces; name it alone, or those that are meant");
        }
        let rings = interfaces.len().saturating_mul(self.workers);
        let usual = || ring_bytes(usable, asked, rings, RING_BYTES);
        Ok(Options {
            interfaces,
            filter: expression(words, self.filter_file.as_deref())?,
            snaplen: self.snapshot_length,
            promiscuous: !self.no_promiscuous_mode,
            ring_bytes: self.buffer_size.unwrap_or_else(usual),
            workers: self.workers,
            immediate: self.immediate,
            elsewhere: self.netns.is_some(),
            direction: match self.direction {
                Way::In => Some(Direction::In),
                Way::Out => Some(Direction::Out),
                Way::Inout => None,
            },
        })
    }

    /// Starts who asks which process has which socket; without a list of them, none is known.
    pub(super) fn asking(&self) -> Option<Asking> {
        let Self { proc, netns, .. } = self;
        let watch = match processes::Watch::start(proc) {
            Ok(watch) => watch,
            Err(error) => {
                complain(&format!("wirespan: {}: {error}; no process is known", proc.display()));
                return None;
            }
        };
        let mut asking = Asking::new(watch);
        if let Some(number) = namespace::number(netns.as_deref()) {
            asking.within_one(number);
        }
        Some(asking)
    }

    /// Opens the sockets, in the network namespace that is named.
    pub(super) fn open(&self, options: &Options) -> Result<LiveSource> {
        let opened = match &self.netns {
            Some(name) => namespace::inside(name, || LiveSource::open(options))
                .map_err(|reason| anyhow::anyhow!("--netns: {reason}"))?,
            None => LiveSource::open(options),
        };
        opened.map_err(|error| match &options.filter {
            // The -i was forgotten.
            Some(word) if matches!(error, LiveError::Filter { .. }) && is_interface(word) => {
                anyhow::anyhow!("{word} is no filter but an interface: wirespan live -i {word}")
            }
            _ => error.into(),
        })
    }
}

fn is_interface(word: &str) -> bool {
    devices::names().is_ok_and(|names| names.iter().any(|listed| listed.name == word))
}

fn snaplen(text: &str) -> Result<i32, String> {
    match text.parse() {
        Ok(0) => Ok(SNAPLEN),
        Ok(bytes) if (0..=SNAPLEN).contains(&bytes) => Ok(bytes),
        _ => Err(format!("name a number of bytes up to {SNAPLEN}")),
    }
}

fn kibibytes(text: &str) -> Result<i32, String> {
    let kibibytes = text.parse::<i32>().ok().filter(|kibibytes| *kibibytes > 0);
    let bytes = kibibytes.and_then(|kibibytes| kibibytes.checked_mul(1024));
    bytes.ok_or_else(|| format!("name a number of KiB from 1 to {}", i32::MAX / 1024))
}

fn workers(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=MAX_WORKERS).contains(count));
    count.ok_or_else(|| format!("name a whole number from 1 to {MAX_WORKERS}"))
}

const MAX_WORKERS: usize = 64;
const CAPTURE: &str = "Capture";
