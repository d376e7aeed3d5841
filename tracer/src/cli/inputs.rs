//! The words of the command line that name captures, and those that are a filter.

use super::complain;
use anyhow::{Result, bail};
use std::path::{Path, PathBuf};
use wirespan_capture::filter::Filters;
use wirespan_capture::packet::Batch;
use wirespan_capture::source::file::{CHUNK, FileSource};
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::merge::MergedSource;
use wirespan_capture::source::report::{Progress, SourceReport};
use wirespan_capture::source::{Fill, PacketSource};

/// Captures and a filter.
#[derive(Debug)]
pub(super) struct Inputs {
    pub(super) files: Vec<PathBuf>,
    pub(super) filter: Option<Filters>,
}

impl Inputs {
    /// Tells files from filter words: with `-r`, all words are the filter; without, the words up
    /// to the first that is no file are files. What follows `--` is the filter.
    pub(super) fn of(from: &[PathBuf], words: &[String], filter: &[String]) -> Result<Self> {
        let leading = if from.is_empty() {
            words.iter().take_while(|word| is_input(word)).count()
        } else {
            0
        };
        let (named, rest) = words.split_at_checked(leading).unwrap_or_default();
        let files: Vec<PathBuf> =
            from.iter().cloned().chain(named.iter().map(PathBuf::from)).collect();
        if files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
            bail!("the standard input (-) can be read once only");
        }
        if let (Some(first), false) = (rest.first(), filter.is_empty()) {
            bail!("{first}: there is no such file; before -- stand files, after it the filter");
        }
        let expression = [rest, filter].concat().join(" ");
        let filter = if expression.trim().is_empty() {
            None
        } else {
            Some(compile(&expression, rest, from.is_empty())?)
        };
        if files.is_empty() {
            match rest.first() {
                Some(word) => bail!(
                    "no capture named: {word} is no file, and {expression:?} was taken as a filter; \
                     say wirespan read FILE {expression}"
                ),
                None => {
                    bail!("no capture named; say wirespan read FILE, or - for the standard input")
                }
            }
        }
        Ok(Self { files, filter })
    }

    /// Opens the captures.
    pub(super) fn open(&self, threads: usize) -> Result<Source> {
        // Several threads meet after each batch, and should not do so too often.
        let chunk = if threads > 1 { 4 * CHUNK } else { CHUNK };
        Ok(match self.files.as_slice() {
            [file] => Source::One(Box::new(FileSource::open(file)?.reading(chunk))),
            files => Source::Many(Box::new(MergedSource::open_reading(files, chunk)?)),
        })
    }
}

fn compile(expression: &str, words: &[String], words_may_be_files: bool) -> Result<Filters> {
    Filters::new(expression).map_err(|error| {
        let reason = error.reason.trim();
        match words {
            [word, ..] if words_may_be_files => anyhow::anyhow!(
                "{word}: there is no such file, and {expression:?} is no filter either ({reason})"
            ),
            _ => anyhow::anyhow!("filter {expression:?}: {reason} (see man pcap-filter)"),
        }
    })
}

/// Whether a word names a capture: a path that exists, or may well, behind a closed door.
pub(super) fn is_input(word: &str) -> bool {
    let closed = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    word == "-" || Path::new(word).try_exists().unwrap_or_else(closed)
}

/// One capture, read in place, or several, merged by time.
pub(super) enum Source {
    One(Box<FileSource>),
    Many(Box<MergedSource>),
}

impl Source {
    pub(super) fn reports(&self) -> Vec<SourceReport> {
        match self {
            Self::One(source) => vec![source.report().clone()],
            Self::Many(source) => source.reports(),
        }
    }

    pub(super) fn progress(&self) -> Progress {
        match self {
            Self::One(source) => source.progress().clone(),
            Self::Many(source) => source.progress().clone(),
        }
    }

    /// Says which files are one tap that goes on.
    pub(super) fn tell_rotations(&self) {
        let Self::Many(source) = self else { return };
        for alignment in source.alignments() {
            complain(&alignment.to_string());
        }
        let rotations = source.rotations();
        for rotation in rotations.iter().take(SHOWN) {
            complain(&format!("one tap: {rotation}"));
        }
        if rotations.len() > SHOWN {
            complain(&format!("one tap: {} more files of a series", rotations.len() - SHOWN));
        }
    }
}

impl PacketSource for Source {
    fn fill(&mut self, batch: &mut Batch) -> std::io::Result<Fill> {
        match self {
            Self::One(source) => source.fill(batch),
            Self::Many(source) => source.fill(batch),
        }
    }

    fn interfaces(&self) -> &Interfaces {
        match self {
            Self::One(source) => source.interfaces(),
            Self::Many(source) => source.interfaces(),
        }
    }
}

/// Lines of one kind that are shown.
const SHOWN: usize = 5;
