//! The file of packets that `-w` asks for: it is there as a whole, or not at all.

use super::inputs::Inputs;
use super::output::{self, OUTPUT};
use super::{Exit, complain};
use crate::config::Config;
use crate::cut::{Cut, cut};
use crate::pipeline::Surroundings;
use crate::wanted::{SPANS, Wanted};
use anyhow::{Result, bail};
use clap::Args;
use std::fs::{File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;
use wirespan_capture::savefile::Savefile;
use wirespan_capture::source::PacketSource;

#[derive(Debug, Args)]
pub(super) struct PacketsArgs {
    /// Write the packets of these traces to a pcapng file, each with a comment that names its span;
    /// for this the captures are read twice. With - for the standard output, traces are shown only
    /// with -o
    #[arg(short, long, value_name = "FILE", help_heading = OUTPUT)]
    write: Option<PathBuf>,
    /// Overwrite in these packets what is secret, and what cannot be looked into
    ///
    /// What is masked in the output is overwritten where it stands, byte for byte, and checksums
    /// are set right: values with secret names in headers, addresses and bodies of text, literals
    /// of SQL, passwords. So are rows and values that databases return, bodies that are compressed
    /// or no text, and bytes of exchanges that are not of these traces.
    #[arg(long, conflicts_with = "no_redact", help_heading = OUTPUT)]
    sanitize: bool,
}

impl PacketsArgs {
    /// Whether secrets in packets are to be overwritten.
    pub(super) fn sanitize(&self) -> bool {
        self.sanitize
    }

    /// The file that is asked for.
    pub(super) fn path(&self) -> Option<&PathBuf> {
        self.write.as_ref()
    }

    /// Where packets are to go, if anywhere. That it cannot be done is said before the reading, not
    /// an hour later.
    pub(super) fn destination(&self, inputs: &Inputs) -> Result<Option<Destination>> {
        let Some(path) = self.write.clone() else {
            if self.sanitize {
                bail!(
                    "--sanitize needs -w FILE: it overwrites what is secret in the packets there"
                );
            }
            return Ok(None);
        };
        if let Some(pipe) = inputs.files.iter().find(|file| !is_regular(file)) {
            let pipe = match pipe.as_os_str() == "-" {
                true => "the standard input".into(),
                false => pipe.to_string_lossy(),
            };
            bail!(
                "-w reads the captures twice, and {pipe} cannot be read again; write it to a file \
                 first, as with tcpdump -w FILE"
            );
        }
        let name = match is_stdout(&path) {
            true => "the standard output".to_owned(),
            false => path.display().to_string(),
        };
        let destination = Destination { name, path, sanitize: self.sanitize };
        destination.check(&inputs.files)?;
        Ok(Some(destination))
    }
}

/// Where packets go.
pub(super) struct Destination {
    path: PathBuf,
    name: String,
    sanitize: bool,
}

/// What packets are written into.
enum Place {
    /// A file beside the one that is meant, which takes its place in the end.
    Beside(NamedTempFile),
    /// Something that is no regular file, such as a named pipe.
    Open(File),
    Stdout(io::Stdout),
}

impl Destination {
    fn check(&self, in_use: &[PathBuf]) -> Result<()> {
        if is_stdout(&self.path) {
            if io::stdout().is_terminal() {
                bail!("-w - would write packets to the terminal; name a file, or pipe it on");
            }
            return Ok(());
        }
        self.check_unused(in_use)?;
        if self.path.is_dir() {
            return Err(self.failure(&io::ErrorKind::IsADirectory.into()));
        }
        if self.is_replaced() {
            self.beside().map_err(|error| self.failure(&error))?;
        }
        Ok(())
    }

    /// Leaves alone what is used already.
    pub(super) fn check_unused<'a>(
        &self,
        in_use: impl IntoIterator<Item = &'a PathBuf>,
    ) -> Result<()> {
        output::check_unused(&self.path, in_use)
    }

    /// Whether they go to the standard output.
    pub(super) fn is_stdout(&self) -> bool {
        is_stdout(&self.path)
    }

    /// Reads the captures again and writes what is wanted of them.
    pub(super) fn fill(
        &self,
        source: &mut dyn PacketSource,
        surroundings: &mut dyn Surroundings,
        config: &Config,
        wanted: Option<Wanted>,
        files: &[String],
    ) -> Result<Written> {
        let Some(mut wanted) = wanted else { return Ok(Written::Unknown) };
        wanted.sanitize = self.sanitize;
        let place = self.open().map_err(|error| self.failure(&error))?;
        let application = concat!("wirespan ", env!("CARGO_PKG_VERSION"));
        let mut packets = 0;
        let write = || -> io::Result<(Cut, Place)> {
            let mut savefile = Savefile::new(BufWriter::new(place), application)?;
            let cut = cut(source, surroundings, config, &mut wanted, files, &mut savefile)?;
            packets = savefile.packets();
            let place =
                savefile.finish(cut.until)?.into_inner().map_err(io::IntoInnerError::into_error)?;
            Ok((cut, place))
        };
        let (cut, place) = match write() {
            Ok(done) => done,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                return Ok(Written::Gone);
            }
            Err(error) => return Err(self.failure(&error)),
        };
        if let Some(error) = cut.source_error {
            bail!("read: {error}; no packets were written");
        }
        if cut.stopped {
            return Ok(Written::Stopped);
        }
        if let Place::Beside(file) = place {
            file.persist(&self.path).map_err(|error| self.failure(&error.error))?;
        }
        let fragments_left_out = cut.fragments_left_out;
        Ok(Written::Packets { packets, fragments_left_out, wanted: Box::new(wanted) })
    }

    /// Says what was written, and what is wrong with it.
    pub(super) fn conclude(&self, written: &Written, quiet: bool) -> Exit {
        match written {
            Written::Packets { packets, fragments_left_out, wanted } => {
                let not_found = wanted.not_found();
                if not_found > 0 {
                    complain(&format!(
                        "wirespan: warning: {not_found} spans have no packet any more; the \
                         captures have changed while they were read"
                    ));
                }
                if wanted.left_out > 0 {
                    complain(&format!(
                        "wirespan: warning: the packets of {} spans are missing, as those of \
                         {SPANS} are taken at most; choose fewer traces",
                        wanted.left_out
                    ));
                }
                if *fragments_left_out > 0 {
                    complain(&format!(
                        "wirespan: warning: {fragments_left_out} segments in IP fragments are left \
                         out, as what is secret in them cannot be overwritten"
                    ));
                }
                if !quiet {
                    let held = match self.sanitize {
                        true => "secrets in them are overwritten",
                        false => {
                            "they hold what was on the wire, with nothing masked (--sanitize \
                             overwrites secrets)"
                        }
                    };
                    let s = if wanted.traces == 1 { "" } else { "s" };
                    complain(&format!(
                        "wirespan: {packets} packets of {} trace{s} written to {}; {held}",
                        wanted.traces, self.name
                    ));
                    if wanted.companions > 0 {
                        complain(&format!(
                            "wirespan: with them are {} exchanges of other traces, as they are \
                             pipelined with these",
                            wanted.companions
                        ));
                    }
                }
                Exit::Done
            }
            Written::Unknown => {
                complain("wirespan: no packets were written, as not all of the traces are known");
                Exit::Done
            }
            Written::Gone => {
                if !quiet {
                    complain("wirespan: the reader of the packets has gone; reading was stopped");
                }
                Exit::Done
            }
            Written::Stopped => {
                complain("wirespan: stopped by ctrl-C; no packets were written");
                Exit::Interrupted
            }
        }
    }

    fn open(&self) -> io::Result<Place> {
        if is_stdout(&self.path) {
            return Ok(Place::Stdout(io::stdout()));
        }
        if self.is_replaced() {
            return self.beside().map(Place::Beside);
        }
        OpenOptions::new().write(true).open(&self.path).map(Place::Open)
    }

    /// Whether a new file takes the place of what is there, if anything is.
    fn is_replaced(&self) -> bool {
        self.path.metadata().map_or(true, |found| found.is_file())
    }

    /// A file in the same folder, which is gone unless it is kept.
    fn beside(&self) -> io::Result<NamedTempFile> {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or_else(|| Path::new("."));
        tempfile::Builder::new()
            .prefix(".wirespan-")
            // Less what the user's mask takes away, as for other files.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder)
    }

    fn failure(&self, error: &io::Error) -> anyhow::Error {
        output::failure(&self.name, error)
    }
}

/// What came of writing.
pub(super) enum Written {
    /// Nothing, as not all traces are known.
    Unknown,
    /// So many packets of these spans.
    Packets { packets: u64, fragments_left_out: u64, wanted: Box<Wanted> },
    /// Whoever reads has seen enough.
    Gone,
    /// Nothing, as the user stopped it.
    Stopped,
}

impl Write for Place {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Beside(file) => file.write(bytes),
            Self::Open(file) => file.write(bytes),
            Self::Stdout(stdout) => stdout.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Beside(file) => file.flush(),
            Self::Open(file) => file.flush(),
            Self::Stdout(stdout) => stdout.flush(),
        }
    }
}

fn is_stdout(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// Whether it can be read a second time. What is not there at all is told better on opening it.
fn is_regular(path: &Path) -> bool {
    let again = |found: Metadata| found.is_file() || found.is_dir();
    !is_stdout(path) && path.metadata().map_or(true, again)
}
