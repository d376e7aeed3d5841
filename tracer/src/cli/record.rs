//! Options that say where the packets of a live capture are written.

use super::output;
use crate::recorder::{Recorder, Rotation};
use anyhow::{Result, bail};
use clap::{Args, ValueHint};
use std::io::{self, IsTerminal};
use std::path::PathBuf;
use wirespan_capture::source::PacketSource;
use wirespan_capture::source::live::{self, LiveSource};

/// Packets to files, as tcpdump has it.
#[derive(Debug, Args)]
#[command(next_help_heading = RECORD)]
pub(super) struct RecordArgs {
    /// Write all packets that are captured to a pcapng file, too; - is the standard output
    ///
    /// They hold what was on the wire, with nothing masked.
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(super) write: Option<PathBuf>,

    /// Begin the next file after so many million bytes: FILE1, FILE2 …
    #[arg(short = 'C', value_name = "MB", value_parser = count_of_u32)]
    file_size: Option<u32>,

    /// Begin the next file after so many seconds; FILE holds the time as date(1) writes it, as in
    /// trace-%H%M%S.pcapng
    #[arg(short = 'G', value_name = "SECONDS", value_parser = count_of_u32)]
    rotate_seconds: Option<u32>,

    /// With -C, write over the oldest of so many files; with -G, end after so many
    #[arg(short = 'W', value_name = "COUNT", value_parser = count_of_u32)]
    file_count: Option<u32>,

    /// Write each packet to the file as it comes
    #[arg(short = 'U')]
    packet_buffered: bool,
}

impl RecordArgs {
    /// Refuses what does not go together.
    pub(super) fn check(&self) -> Result<()> {
        let is_series = self.is_series();
        if is_series && self.write.is_none() {
            bail!("-C and -G need -w FILE: they say when its next file begins");
        }
        if self.file_count.is_some() && !is_series {
            bail!("-W needs -C or -G: it says how many of their files there are");
        }
        if self.is_stdout() {
            if is_series {
                bail!("-w -: the standard output is one file; name one for -C or -G");
            }
            if io::stdout().is_terminal() {
                bail!("-w - would write packets to the terminal; name a file, or pipe it on");
            }
        }
        Ok(())
    }

    /// Whether there may be several files.
    pub(super) fn is_series(&self) -> bool {
        self.file_size.is_some() || self.rotate_seconds.is_some()
    }

    /// Whether packets go to the standard output.
    pub(super) fn is_stdout(&self) -> bool {
        self.write.as_ref().is_some_and(|path| path.as_os_str() == "-")
    }

    /// What writes the packets of this source, if they are to be written.
    pub(super) fn recorder(&self, source: &LiveSource) -> Result<Option<Recorder>> {
        let Some(path) = &self.write else { return Ok(None) };
        let rotation = Rotation {
            bytes: self.file_size.map(|millions| u64::from(millions) * 1_000_000),
            seconds: self.rotate_seconds,
            files: self.file_count,
        };
        let recorder = Recorder::create(path, rotation, source.interfaces(), live::clock::now());
        let recorder = recorder.map_err(|fault| output::failure(&fault.name, &fault.error))?;
        Ok(Some(recorder.unbuffered(self.packet_buffered || self.is_stdout())))
    }
}

fn count_of_u32(text: &str) -> Result<u32, String> {
    let count = text.parse().ok().filter(|count| *count > 0);
    count.ok_or_else(|| "name a whole number from 1 on".to_owned())
}

const RECORD: &str = "Packets to files";
