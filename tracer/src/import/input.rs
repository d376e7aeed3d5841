//! One input of spans: its lines are walked over once, then read again where they stand.
//!
//! What cannot be read twice, a pipe or a compressed file, is copied to a temporary file without a
//! name, which goes with the process.

use crate::import::ImportError;
use memchr::{memchr_iter, memrchr};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use wirespan_capture::source::open::{self, OpenError};
use wirespan_capture::source::report::{Compression, Progress};

/// An input while its lines are walked over.
pub(super) struct Walk {
    name: String,
    reader: Box<dyn Read + Send>,
    file: File,
    /// Whether what is walked over is written to the file.
    copies: bool,
    /// The last piece, then the start of the next.
    buffer: Vec<u8>,
    /// How long the last piece was, and how many lines ended in it.
    piece: (usize, u64),
    /// Where the buffer begins: the bytes and the lines before it.
    before: (u64, u64),
    ended: bool,
    /// Why reading ended before the input did.
    unreadable: Option<io::Error>,
}

/// Some whole lines.
pub(super) struct Piece<'a> {
    pub(super) lines: Vec<Numbered<'a>>,
    /// Whether the last line has no end, as where the input was cut off.
    pub(super) open_end: bool,
}

/// A line, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Numbered<'a> {
    /// From 1.
    pub(super) number: u64,
    pub(super) offset: u64,
    pub(super) text: &'a [u8],
}

/// The lines of an input, to be read again.
pub(super) struct Lines {
    name: String,
    file: File,
}

impl Walk {
    /// Opens an input by its path, or the standard input by the path `-`.
    pub(super) fn open(path: &Path, progress: &Progress) -> Result<Self, ImportError> {
        let name = open::display_name(path);
        let (reader, head, is_there_to_stay) = match open::open(path, progress) {
            Ok(opened) => {
                let plain = opened.compression == Compression::None && !open::is_stdin(path);
                (opened.reader, opened.head, opened.regular && plain)
            }
            // That there are no spans is no fault.
            Err(OpenError::Empty { .. }) => (Box::new(io::empty()) as _, Vec::new(), false),
            Err(error) => return Err(error.into()),
        };
        let file = if is_there_to_stay {
            File::open(path).map_err(|error| OpenError::from_io(&name, error))?
        } else {
            tempfile::tempfile().map_err(|error| not_copied(&name, error))?
        };
        let mut walk = Self {
            name,
            reader,
            file,
            copies: !is_there_to_stay,
            buffer: head,
            piece: (0, 0),
            before: (0, 0),
            ended: false,
            unreadable: None,
        };
        walk.copy(0)?;
        Ok(walk)
    }

    /// The next lines, without those that are empty; none at the end.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>, ImportError> {
        self.before = (self.before.0 + self.piece.0 as u64, self.before.1 + self.piece.1);
        self.buffer.drain(..self.piece.0.min(self.buffer.len()));
        let mut end = None;
        while !self.ended && end.is_none() {
            if self.buffer.len() > LONGEST_LINE {
                return Err(ImportError::TooLong {
                    file: self.name.clone(),
                    line: self.before.1 + 1,
                });
            }
            let start = self.buffer.len();
            match self.reader.by_ref().take(PIECE).read_to_end(&mut self.buffer) {
                Ok(read) => self.ended = (read as u64) < PIECE,
                Err(error) => (self.ended, self.unreadable) = (true, Some(error)),
            }
            self.copy(start)?;
            end = memrchr(b'\n', &self.buffer);
        }
        let open_end = end.is_none();
        let len = end.map_or(self.buffer.len(), |end| end + 1);
        let piece = self.buffer.get(..len).unwrap_or_default();
        self.piece = (len, memchr_iter(b'\n', piece).count() as u64);
        if piece.is_empty() {
            return Ok(None);
        }
        let (mut offset, mut number) = self.before;
        let mut lines = Vec::new();
        for text in piece.split(|byte| *byte == b'\n') {
            number += 1;
            if !text.trim_ascii().is_empty() {
                lines.push(Numbered { number, offset, text });
            }
            offset += text.len() as u64 + 1;
        }
        Ok(Some(Piece { lines, open_end }))
    }

    /// What to call the input in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Why reading ended before the input did, and after how many bytes.
    pub(super) fn unreadable(&self) -> Option<(u64, &io::Error)> {
        self.unreadable.as_ref().map(|error| (self.before.0 + self.buffer.len() as u64, error))
    }

    /// What was walked over, to be read again.
    pub(super) fn lines(self) -> Lines {
        Lines { name: self.name, file: self.file }
    }

    fn copy(&mut self, start: usize) -> Result<(), ImportError> {
        if self.copies {
            let new = self.buffer.get(start..).unwrap_or_default();
            self.file.write_all(new).map_err(|error| not_copied(&self.name, error))?;
        }
        Ok(())
    }
}

impl Lines {
    /// What to call the input in messages.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Reads a line again.
    pub(super) fn read(&self, offset: u64, len: u32) -> io::Result<Vec<u8>> {
        let mut line = vec![0; len as usize];
        self.file.read_exact_at(&mut line, offset)?;
        Ok(line)
    }
}

fn not_copied(file: &str, reason: io::Error) -> ImportError {
    let folder = std::env::temp_dir().display().to_string();
    ImportError::Copy { file: file.to_owned(), folder, reason }
}

/// Bytes that are read at once.
const PIECE: u64 = 1 << 20;
/// Bytes of the longest line: no span has so many.
const LONGEST_LINE: usize = 1 << 20;
