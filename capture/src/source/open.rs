//! From a path to bytes of an uncompressed capture: opens, looks at the first bytes, decompresses.

use crate::source::report::{Compression, Progress};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Why a capture could not be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// There is no such file.
    #[error("read {file}: there is no such file, check the path")]
    NotFound {
        /// The file's name as it was given.
        file: String,
    },
    /// Its permissions forbid it.
    #[error("read {file}: permission denied, run as a user who may read it")]
    Denied {
        /// The file's name as it was given.
        file: String,
    },
    /// It is a directory.
    #[error("read {file}: it is a directory, name the files in it")]
    Directory {
        /// The file's name as it was given.
        file: String,
    },
    /// It has no bytes.
    #[error("read {file}: it is empty, not even a capture's header was written")]
    Empty {
        /// The file's name as it was given.
        file: String,
    },
    /// It ends within the header.
    #[error("read {file}: it is cut off inside its header, after {bytes} bytes")]
    CutHeader {
        /// The file's name as it was given.
        file: String,
        /// How many bytes there are, uncompressed.
        bytes: usize,
    },
    /// It is something else.
    #[error("read {file}: not a pcap or pcapng file but {looks}")]
    NotACapture {
        /// The file's name as it was given.
        file: String,
        /// What its first bytes look like, and what to do about it.
        looks: &'static str,
    },
    /// A version of pcap or pcapng that nobody has described.
    #[error("read {file}: {format} version {major}.{minor} is unknown, convert it with editcap")]
    Version {
        /// The file's name as it was given.
        file: String,
        /// pcap or pcapng.
        format: &'static str,
        /// The version before the dot.
        major: u16,
        /// The version after the dot.
        minor: u16,
    },
    /// Decompression failed at its very beginning.
    #[error("decompress {file}: {reason}; check it with gzip -t or zstd -t")]
    Compressed {
        /// The file's name as it was given.
        file: String,
        /// What the decompressor said.
        reason: String,
    },
    /// More files than can be numbered.
    #[error("read {file}: more than 65,535 files, merge some with mergecap")]
    TooMany {
        /// The first file that is too many.
        file: String,
    },
    /// The operating system said something else.
    #[error("read {file}")]
    Unreadable {
        /// The file's name as it was given.
        file: String,
        /// What it said.
        #[source]
        source: io::Error,
    },
}

impl OpenError {
    /// What the operating system said of a file, and what can be done.
    pub fn from_io(file: &str, source: io::Error) -> Self {
        let file = file.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound { file },
            io::ErrorKind::PermissionDenied => Self::Denied { file },
            io::ErrorKind::IsADirectory => Self::Directory { file },
            _ => Self::Unreadable { file, source },
        }
    }
}

/// An opened file, decompressed.
pub struct Opened {
    /// What follows `head`.
    pub reader: Box<dyn Read + Send>,
    /// The first bytes, at least 24 unless the file is shorter.
    pub head: Vec<u8>,
    /// How it was compressed.
    pub compression: Compression,
    /// Whether it is a regular file: reads do not wait, and it can be opened again.
    pub regular: bool,
    /// Once this is set, a read that would have to wait for long fails with `WouldBlock`, and may
    /// be made again.
    pub impatient: Arc<AtomicBool>,
}

/// How a path is called in messages.
pub fn display_name(path: &Path) -> String {
    if is_stdin(path) { "stdin".to_owned() } else { path.display().to_string() }
}

/// Whether a path stands for the standard input.
pub fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// A short name: that of the file without folder, and without the endings of its format.
pub(crate) fn label(path: &Path) -> String {
    if is_stdin(path) {
        return "stdin".to_owned();
    }
    let mut short = path.file_name().unwrap_or(path.as_os_str());
    for _ in 0..2 {
        let stem = Path::new(short).file_stem().unwrap_or(short);
        if Path::new(short).extension().is_some_and(|ending| {
            ENDINGS.iter().any(|known| ending.to_string_lossy().starts_with(known))
        }) {
            short = stem;
        }
    }
    short.to_string_lossy().into_owned()
}

/// The length of a regular file.
pub fn length(path: &Path) -> Option<u64> {
    if is_stdin(path) {
        return regular_length(&stdin().ok()?);
    }
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len())
}

/// Opens a file by its path, or the standard input by the path `-`; what is read of it is counted.
///
/// # Errors
/// Why it cannot be opened, or that it is empty.
pub fn open(path: &Path, progress: &Progress) -> Result<Opened, OpenError> {
    let name = display_name(path);
    let failed = |error| OpenError::from_io(&name, error);
    let file = if is_stdin(path) { stdin() } else { File::open(path) }.map_err(failed)?;
    if file.metadata().map_err(failed)?.is_dir() {
        return Err(OpenError::Directory { file: name });
    }
    let regular = regular_length(&file).is_some();
    let impatient = Arc::default();
    let mut reader =
        Counted { file, regular, progress: progress.clone(), impatient: Arc::clone(&impatient) };
    let mut raw = Vec::new();
    read_up_to(&mut reader, &mut raw, MAGIC).map_err(failed)?;
    let compression = match raw.as_slice() {
        [] => return Err(OpenError::Empty { file: name }),
        [0x1f, 0x8b, ..] => Compression::Gzip,
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => Compression::Zstd,
        _ => Compression::None,
    };
    let mut head = Vec::with_capacity(HEAD);
    let mut reader: Box<dyn Read + Send> = match compression {
        Compression::None => {
            head = raw;
            Box::new(reader)
        }
        Compression::Gzip => {
            let raw = BufReader::with_capacity(COMPRESSED_CHUNK, Cursor::new(raw).chain(reader));
            Box::new(flate2::bufread::MultiGzDecoder::new(raw))
        }
        Compression::Zstd => {
            let raw = BufReader::with_capacity(COMPRESSED_CHUNK, Cursor::new(raw).chain(reader));
            Box::new(zstd::stream::read::Decoder::with_buffer(raw).map_err(failed)?)
        }
    };
    if let Err(error) = read_up_to(&mut reader, &mut head, HEAD) {
        if compression == Compression::None {
            return Err(failed(error));
        }
        // A stream that breaks behind its first bytes may still hold packets; `fill` meets the
        // error again.
        if head.is_empty() {
            return Err(OpenError::Compressed { file: name, reason: error.to_string() });
        }
    }
    if head.is_empty() {
        return Err(OpenError::Empty { file: name });
    }
    Ok(Opened { reader, head, compression, regular, impatient })
}

/// What the first bytes of something that is no capture look like.
pub(super) fn looks_like(head: &[u8]) -> &'static str {
    for (magic, looks) in FOREIGN {
        if head.starts_with(magic) {
            return looks;
        }
    }
    let word = |at: usize| -> Option<[u8; 4]> { head.get(at..at + 4)?.try_into().ok() };
    if let (Some(kind), Some(len)) = (word(0), word(4)) {
        // A block's type (1 interface, 5 statistics, 6 packet, ...) and a length that is a
        // multiple of four.
        let blocks = [
            (u32::from_le_bytes(kind), u32::from_le_bytes(len)),
            (u32::from_be_bytes(kind), u32::from_be_bytes(len)),
        ];
        if blocks.iter().any(|(kind, len)| {
            (1..=10).contains(kind) && (12..=1 << 18).contains(len) && len % 4 == 0
        }) {
            return "pcapng blocks without the section header before them; its beginning is missing";
        }
    }
    if std::str::from_utf8(head)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t')))
    {
        return "text; give the file that `tcpdump -w` or `dumpcap -w` wrote, not what they print";
    }
    if head.iter().all(|byte| *byte == 0) {
        return "zeros; the disk was full or the file was never written";
    }
    "something unknown; if Wireshark opens it, convert it with `editcap -F pcapng`"
}

fn stdin() -> io::Result<File> {
    Ok(File::from(io::stdin().as_fd().try_clone_to_owned()?))
}

fn regular_length(file: &File) -> Option<u64> {
    file.metadata().ok().filter(std::fs::Metadata::is_file).map(|meta| meta.len())
}

/// Reads until `bytes` holds `len`, or the end.
fn read_up_to(reader: &mut dyn Read, bytes: &mut Vec<u8>, len: usize) -> io::Result<()> {
    let missing = len.saturating_sub(bytes.len());
    reader.take(missing as u64).read_to_end(bytes)?;
    Ok(())
}

/// Counts what is read from disk, and waits for a pipe only until it is stopped.
struct Counted {
    file: File,
    regular: bool,
    progress: Progress,
    impatient: Arc<AtomicBool>,
}

/// Whether there is something to read.
enum Wait {
    Ready,
    Silent,
    Stopped,
}

impl Counted {
    /// Waits until there is something to read.
    fn wait(&self) -> Wait {
        loop {
            let mut ends = [PollFd::new(self.file.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut ends, PollTimeout::from(LOOK_UP_MILLISECONDS));
            if self.progress.is_stopped() {
                return Wait::Stopped;
            }
            // What is wrong, reading tells better.
            if !matches!(ready, Ok(0) | Err(Errno::EINTR)) {
                return Wait::Ready;
            }
            if self.impatient.load(Ordering::Relaxed) {
                return Wait::Silent;
            }
        }
    }
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if !self.regular {
            match self.wait() {
                Wait::Ready => {}
                Wait::Silent => return Err(io::ErrorKind::WouldBlock.into()),
                Wait::Stopped => return Ok(0),
            }
        }
        let read = self.file.read(buffer)?;
        self.progress.add(read as u64);
        Ok(read)
    }
}

/// Long enough for a pcap file header and for the fixed part of a pcapng section header.
pub(super) const HEAD: usize = 24;

const MAGIC: usize = 4;
/// How often a pipe that is silent looks whether it was stopped.
const LOOK_UP_MILLISECONDS: u8 = 50;
const COMPRESSED_CHUNK: usize = 64 * 1024;

const ENDINGS: &[&str] = &["gz", "zst", "pcap", "cap", "dmp", "dump", "trc", "ntar"];

const CONVERT: &str = "a capture in another format; convert it with `editcap -F pcapng`";
const DECOMPRESS: &str = "a compressed file of another kind than gzip or zstd; decompress it first";

const FOREIGN: &[(&[u8], &str)] = &[
    (b"{\"type\":\"span\",", "spans of wirespan; say wirespan join for them"),
    (b"snoop\0\0\0", "a snoop capture; convert it with `editcap -F pcapng`"),
    (b"btsnoop\0", "a Bluetooth snoop capture, which holds no IP traffic"),
    (b"RTSS", "a Network Monitor 1 capture; convert it with `editcap -F pcapng`"),
    (b"GMBU", "a Network Monitor 2 capture; convert it with `editcap -F pcapng`"),
    (b"TRSNIFF data", "a Sniffer capture; convert it with `editcap -F pcapng`"),
    (b"XCP\0", "a NetXRay capture; convert it with `editcap -F pcapng`"),
    (b"iptrace ", "an AIX iptrace capture; convert it with `editcap -F pcapng`"),
    (b"\x7fver", CONVERT),
    (b"5VNF", CONVERT),
    (b"\x7fELF", "an ELF program or library"),
    (b"MZ", "a Windows program"),
    (b"\x89PNG", "a picture"),
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive; unpack it first"),
    (b"\xfd7zXZ\0", DECOMPRESS),
    (b"7z\xbc\xaf\x27\x1c", DECOMPRESS),
    (b"BZh", DECOMPRESS),
    (b"\x04\x22\x4d\x18", DECOMPRESS),
    (b"\x1f\x8b", "gzip in gzip; decompress it once"),
];
