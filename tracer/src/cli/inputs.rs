//! The words of the command line that name captures, and those that are a filter.

use super::complain;
use super::up_to::UpTo;
use anyhow::{Result, bail};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};
use wirespan_capture::filter::Filters;
use wirespan_capture::packet::Batch;
use wirespan_capture::source::alignment::Alignment;
use wirespan_capture::source::file::{CHUNK, FileSource};
use wirespan_capture::source::interfaces::Interfaces;
use wirespan_capture::source::merge::MergedSource;
use wirespan_capture::source::open::Opened;
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
    /// to the first that is no file are files. What follows `--` is the filter, unless a file holds
    /// it: then no word does.
    pub(super) fn of(
        from: &[PathBuf],
        words: &[String],
        filter: &[String],
        filter_file: Option<&Path>,
    ) -> Result<Self> {
        let leading = if from.is_empty() {
            words.iter().take_while(|word| is_input(word)).count()
        } else {
            0
        };
        let (named, rest) = words.split_at_checked(leading).unwrap_or_default();
        let files: Vec<PathBuf> =
            from.iter().cloned().chain(named.iter().map(PathBuf::from)).collect();
        once(&files)?;
        if let (Some(first), false) = (rest.first(), filter.is_empty()) {
            bail!("{first}: there is no such file; before -- stand files, after it the filter");
        }
        let words = [rest, filter].concat().join(" ");
        let expression = match filter_file {
            None => words,
            Some(_) if !words.trim().is_empty() => match rest.first() {
                Some(word) if from.is_empty() => {
                    bail!("{word}: there is no such file, and -F names the filter")
                }
                _ => bail!(TWO_FILTERS),
            },
            Some(file) if file.as_os_str() == "-" && files.iter().any(|name| name == file) => {
                bail!("the standard input (-) cannot be the filter and a capture")
            }
            Some(file) => expression_of_file(file)?,
        };
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

    /// Opens the captures, of which no more than so many packets are wanted; their times are set
    /// right as is said.
    pub(super) fn open(
        &self,
        threads: usize,
        most: Option<u64>,
        alignments: Vec<Alignment>,
    ) -> Result<Source> {
        let chunk = chunk(threads);
        let files = match self.files.as_slice() {
            [file] if alignments.is_empty() => {
                Files::One(Box::new(FileSource::open(file)?.reading(chunk)))
            }
            files => Files::Many(Box::new(MergedSource::open_aligned(files, chunk, alignments)?)),
        };
        Ok(UpTo::new(files, most, self.filter.clone()))
    }
}

/// All packets of a capture that is open already; `progress` counts what is read of it.
pub(super) fn of_opened(
    path: &Path,
    opened: Opened,
    progress: Progress,
    threads: usize,
) -> Result<Source> {
    let source = FileSource::of_opened(path, opened, progress)?.reading(chunk(threads));
    Ok(UpTo::new(Files::One(Box::new(source)), None, None))
}

/// Bytes of a capture that are read at once.
fn chunk(threads: usize) -> usize {
    // Several threads meet after each batch, and should not do so too often.
    if threads > 1 { 4 * CHUNK } else { CHUNK }
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

/// A filter from words or from the file that `-F` names, if there is one.
pub(super) fn expression(words: &[String], file: Option<&Path>) -> Result<Option<String>> {
    let words = words.join(" ");
    let expression = match file {
        Some(file) if words.trim().is_empty() => expression_of_file(file)?,
        Some(_) => bail!(TWO_FILTERS),
        None => words,
    };
    Ok(Some(expression).filter(|expression| !expression.trim().is_empty()))
}

/// The expression in a file that `-F` names: as with tcpdump it may fill many lines, and what stands
/// behind a `#` is a comment. `-` is the standard input.
fn expression_of_file(path: &Path) -> Result<String> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().take(LONGEST_FILTER + 1).read_to_string(&mut text)
    } else {
        File::open(path).and_then(|file| file.take(LONGEST_FILTER + 1).read_to_string(&mut text))
    };
    match read {
        Ok(_) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {
            bail!("-F {}: there is no such file, check the path", path.display())
        }
        Err(error) => bail!("-F {}: {error}", path.display()),
    }
    if text.len() as u64 > LONGEST_FILTER {
        bail!(
            "-F {}: it is longer than {} KiB, and no filter is",
            path.display(),
            LONGEST_FILTER >> 10
        );
    }
    let lines: Vec<&str> =
        text.lines().map(|line| line.split('#').next().unwrap_or_default().trim()).collect();
    Ok(lines.join(" ").trim().to_owned())
}

/// Refuses what can be read once only where it is named twice.
pub(super) fn once(files: &[PathBuf]) -> Result<()> {
    if files.iter().filter(|file| file.as_os_str() == "-").count() > 1 {
        bail!("the standard input (-) can be read once only");
    }
    Ok(())
}

/// Whether a word names a capture: a path that exists, or may well, behind a closed door.
pub(super) fn is_input(word: &str) -> bool {
    let closed = |error: std::io::Error| error.kind() == std::io::ErrorKind::PermissionDenied;
    word == "-" || Path::new(word).try_exists().unwrap_or_else(closed)
}

/// The captures, up to their end or to a number of packets.
pub(super) type Source = UpTo<Files>;

/// One capture, read in place, or several, merged by time.
pub(super) enum Files {
    One(Box<FileSource>),
    Many(Box<MergedSource>),
}

impl Source {
    pub(super) fn reports(&self) -> Vec<SourceReport> {
        let mut reports = match self.inner() {
            Files::One(source) => vec![source.report().clone()],
            Files::Many(source) => source.reports(),
        };
        // The files were read a little further than they were used.
        if let Some(last) = self.cut_at() {
            for report in &mut reports {
                report.first = report.first.filter(|first| *first <= last);
                report.last = report.first.and(report.last).map(|at| at.min(last));
            }
        }
        reports
    }

    pub(super) fn progress(&self) -> Progress {
        match self.inner() {
            Files::One(source) => source.progress().clone(),
            Files::Many(source) => source.progress().clone(),
        }
    }

    /// How the clocks of the captures differ.
    pub(super) fn alignments(&self) -> &[Alignment] {
        match self.inner() {
            Files::One(_) => &[],
            Files::Many(source) => source.alignments(),
        }
    }

    /// Says which clocks differ, and which files are one tap that goes on.
    pub(super) fn tell_rotations(&self) {
        let mut told: Vec<String> = Vec::new();
        for alignment in self.alignments().iter().filter(|alignment| alignment.used) {
            let text = alignment.to_string();
            if !told.contains(&text) {
                complain(&text);
                told.push(text);
            }
        }
        let Files::Many(source) = self.inner() else { return };
        let rotations = source.rotations();
        for rotation in rotations.iter().take(SHOWN) {
            complain(&format!("one tap: {rotation}"));
        }
        if rotations.len() > SHOWN {
            complain(&format!("one tap: {} more files of a series", rotations.len() - SHOWN));
        }
    }
}

impl PacketSource for Files {
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

    fn is_live(&self) -> bool {
        match self {
            Self::One(source) => source.is_live(),
            Self::Many(source) => source.is_live(),
        }
    }
}

const TWO_FILTERS: &str = "-F names the filter, and so do words; leave one of them out";
/// Lines of one kind that are shown.
const SHOWN: usize = 5;
/// Bytes of a file that holds a filter.
const LONGEST_FILTER: u64 = 1 << 20;
