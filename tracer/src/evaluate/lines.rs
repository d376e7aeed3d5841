//! Lines of a file, which may be compressed or come through a pipe, one at a time.

use super::{EvaluateError, Flaw};
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::Path;
use wirespan_capture::source::open::{self, OpenError, Opened};
use wirespan_capture::source::report::Progress;

/// A file of which the next line is read on demand.
pub(super) struct Lines {
    name: String,
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
}

/// A line without its end.
pub(super) struct Line<'a> {
    pub(super) text: &'a [u8],
    /// Whether it ends where the file does, as where that was cut off.
    pub(super) open_end: bool,
}

impl Lines {
    /// Opens a file by its path, or the standard input by the path `-`. One without bytes has no
    /// lines.
    pub(super) fn open(path: &Path, progress: &Progress) -> Result<Self, EvaluateError> {
        match open::open(path, progress) {
            Ok(opened) => Ok(Self::of_opened(path, opened)),
            Err(OpenError::Empty { .. }) => Ok(Self::new(path, Box::new(std::io::empty()))),
            Err(error) => Err(error.into()),
        }
    }

    /// Lines of a file that is open.
    pub(super) fn of_opened(path: &Path, opened: Opened) -> Self {
        let reader = Cursor::new(opened.head).chain(opened.reader);
        Self::new(path, Box::new(BufReader::with_capacity(BUFFER, reader)))
    }

    fn new(path: &Path, reader: Box<dyn BufRead + Send>) -> Self {
        Self { name: open::display_name(path), reader, line: Vec::new(), number: 0 }
    }

    /// Lines of a text.
    #[cfg(test)]
    pub(super) fn of(text: &str) -> Self {
        let reader = Box::new(Cursor::new(text.to_owned()));
        Self { name: "text".to_owned(), reader, line: Vec::new(), number: 0 }
    }

    /// The next line that is not empty; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Line<'_>>, EvaluateError> {
        loop {
            self.line.clear();
            self.number += 1;
            let read = self.reader.by_ref().take(LONGEST_LINE + 1);
            let read = { read }.read_until(b'\n', &mut self.line);
            read.map_err(|error| OpenError::from_io(&self.name, error))?;
            if self.line.is_empty() {
                return Ok(None);
            }
            if self.line.len() as u64 > LONGEST_LINE {
                return Err(self.flawed(Flaw::TooLong));
            }
            // Editors put a byte order mark in front of a file.
            if self.number == 1 && self.line.starts_with(MARK) {
                self.line.drain(..MARK.len());
            }
            if !self.line.trim_ascii().is_empty() {
                break;
            }
        }
        let open_end = self.line.last() != Some(&b'\n');
        Ok(Some(Line { text: self.line.trim_ascii(), open_end }))
    }

    /// What to call the file in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The number of the last line that was read, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Says what is wrong with the last line.
    pub(super) fn flawed(&self, flaw: Flaw) -> EvaluateError {
        EvaluateError::Line { file: self.name.clone(), line: self.number, flaw }
    }
}

/// The byte order mark, U+FEFF.
pub(super) const MARK: &[u8] = b"\xef\xbb\xbf";
/// Bytes that are read at once.
const BUFFER: usize = 1 << 18;
/// Bytes of the longest line.
const LONGEST_LINE: u64 = 1 << 20;
