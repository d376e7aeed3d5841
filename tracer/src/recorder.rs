//! Packets to files as they are captured: one file, or a series of them, named as tcpdump names
//! them (`-C`, `-G`, `-W`).

use jiff::Timestamp as Moment;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use smallvec::SmallVec;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wirespan_capture::packet::{Batch, InterfaceId, Timestamp};
use wirespan_capture::savefile::Savefile;
use wirespan_capture::source::interfaces::{Interface, Interfaces};

/// When a file is full, and what the next one is called.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// After so many bytes: a number is appended to the name of each file but the first.
    pub bytes: Option<u64>,
    /// After so many seconds: the name holds the time, written as for `strftime`.
    pub seconds: Option<u32>,
    /// How many files there are: with `bytes` the oldest is written over, with `seconds` capturing
    /// ends after the last one, with both it only makes numbers of equal length.
    pub files: Option<u32>,
}

/// Writes packets of a live capture.
pub struct Recorder {
    path: PathBuf,
    rotation: Rotation,
    interfaces: Interfaces,
    /// What the file says of each.
    origins: Vec<String>,
    /// Those that were written of, in that order: each file of a series numbers them so.
    described: Vec<InterfaceId>,
    /// Whether each batch is to be seen in the file at once.
    unbuffered: bool,
    current: Option<Current>,
    /// How many files were begun, since the name last changed by time.
    number: u32,
    /// How many times the name has changed by time.
    periods: u32,
    packets: u64,
    files: u64,
    last: Timestamp,
}

/// The file that is written now.
struct Current {
    savefile: Savefile<Counting>,
    name: String,
    written: Arc<AtomicU64>,
    /// When its time began.
    begun: Timestamp,
}

/// What recording came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Packets.
    pub packets: u64,
    /// Files that were begun.
    pub files: u64,
}

/// Why recording cannot go on.
#[derive(Debug)]
pub struct RecordError {
    /// The file.
    pub name: String,
    /// What the operating system said.
    pub error: io::Error,
}

impl Recorder {
    /// Begins the first file; `-` is the standard output.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn create(
        path: &Path,
        rotation: Rotation,
        interfaces: &Interfaces,
        now: Timestamp,
    ) -> Result<Self, RecordError> {
        let mut recorder = Self {
            path: path.to_owned(),
            rotation,
            interfaces: Interfaces::default(),
            origins: Vec::new(),
            described: Vec::new(),
            unbuffered: false,
            current: None,
            number: 0,
            periods: 0,
            packets: 0,
            files: 0,
            last: now,
        };
        recorder.learn(interfaces);
        recorder.begin(now)?;
        Ok(recorder)
    }

    /// Lets each batch be seen in the file at once.
    #[must_use]
    pub fn unbuffered(mut self, unbuffered: bool) -> Self {
        self.unbuffered = unbuffered;
        self
    }

    /// Learns of interfaces that were met since.
    pub fn learn(&mut self, interfaces: &Interfaces) {
        if interfaces.len() > self.interfaces.len() {
            let new = interfaces.iter().skip(self.origins.len());
            let origin = |name: &str| format!("captured live on {name}");
            self.origins.extend(new.map(|(_, interface)| origin(&interface.name)));
            self.interfaces = interfaces.clone();
        }
    }

    /// Writes the packets of a batch; false once there are files enough.
    ///
    /// # Errors
    /// Why that cannot be done; nothing more can be written then.
    pub fn batch(&mut self, batch: &Batch) -> Result<bool, RecordError> {
        if let Some(current) = &mut self.current {
            for loss in &batch.losses {
                let Some(id) = loss.interface else { continue };
                let Some((interface, origin)) = known(&self.interfaces, &self.origins, id) else {
                    continue;
                };
                current
                    .savefile
                    .lost(loss, id, interface, origin)
                    .map_err(|error| RecordError { name: current.name.clone(), error })?;
            }
        }
        for packet in &batch.packets {
            self.last = self.last.max(packet.at);
            if !self.turn(packet.at)? {
                return Ok(false);
            }
            let Self { current: Some(current), interfaces, origins, packets, .. } = self else {
                return Ok(false);
            };
            let Some((interface, origin)) = known(interfaces, origins, packet.interface) else {
                continue;
            };
            let bytes = batch.buffer.get(packet.bytes.clone()).unwrap_or_default();
            let owners = batch.owners(packet).iter().map(|told| told.owner.to_string());
            let owners: SmallVec<[String; 2]> = owners.collect();
            let comments: SmallVec<[&str; 2]> = owners.iter().map(String::as_str).collect();
            current
                .savefile
                .packet(packet, bytes, interface, origin, &comments)
                .map_err(|error| RecordError { name: current.name.clone(), error })?;
            *packets += 1;
        }
        if self.unbuffered
            && let Some(current) = &mut self.current
        {
            current
                .savefile
                .flush()
                .map_err(|error| RecordError { name: current.name.clone(), error })?;
        }
        Ok(true)
    }

    /// Ends the last file. It is then known that nothing came up to this moment.
    ///
    /// # Errors
    /// Why it is not whole.
    pub fn finish(mut self, until: Timestamp) -> Result<Recorded, RecordError> {
        self.last = self.last.max(until);
        self.end()?;
        Ok(Recorded { packets: self.packets, files: self.files })
    }

    /// Goes on to the next file if it is time; false once there are files enough.
    fn turn(&mut self, now: Timestamp) -> Result<bool, RecordError> {
        let Some(current) = &self.current else { return Ok(false) };
        let Rotation { bytes, seconds, files } = self.rotation;
        if let Some(seconds) = seconds
            && now.0.saturating_sub(current.begun.0) >= i64::from(seconds) * 1_000_000_000
        {
            self.end()?;
            self.periods += 1;
            if bytes.is_none() && files == Some(self.periods) {
                return Ok(false);
            }
            self.number = 0;
            self.begin(now)?;
        } else if let Some(bytes) = bytes
            && current.written.load(Ordering::Relaxed) >= bytes
        {
            let begun = current.begun;
            self.end()?;
            self.number += 1;
            if seconds.is_none() && files == Some(self.number) {
                self.number = 0;
            }
            self.begin(if seconds.is_some() { begun } else { now })?;
        }
        Ok(true)
    }

    fn begin(&mut self, now: Timestamp) -> Result<(), RecordError> {
        let path = self.name(now);
        let name = path.display().to_string();
        let written = Arc::default();
        let open = || -> io::Result<Savefile<Counting>> {
            let output: Box<dyn Write + Send> = match path.as_os_str() == "-" {
                true => Box::new(io::stdout()),
                false => Box::new(File::create(&path)?),
            };
            let output = BufWriter::with_capacity(BUFFER, output);
            Savefile::new(Counting { output, written: Arc::clone(&written) }, APPLICATION)
        };
        let mut savefile = open().map_err(|error| RecordError { name: name.clone(), error })?;
        for id in &self.described {
            let Some((interface, origin)) = known(&self.interfaces, &self.origins, *id) else {
                continue;
            };
            savefile
                .interface(*id, interface, origin)
                .map_err(|error| RecordError { name: name.clone(), error })?;
        }
        self.files += 1;
        self.current = Some(Current { savefile, name, written, begun: now });
        Ok(())
    }

    fn end(&mut self) -> Result<(), RecordError> {
        let Some(current) = self.current.take() else { return Ok(()) };
        self.described = current.savefile.described();
        match current.savefile.finish(self.last) {
            Ok(_) => Ok(()),
            Err(error) => Err(RecordError { name: current.name, error }),
        }
    }

    /// What the file that begins now is called.
    fn name(&self, now: Timestamp) -> PathBuf {
        let mut name = match self.rotation.seconds {
            None => self.path.clone().into_os_string(),
            Some(_) => by_time(&self.path, now),
        };
        let ring = self.rotation.bytes.and(self.rotation.files);
        match (self.number, ring) {
            (number, Some(files)) => {
                let digits = files.saturating_sub(1).max(1).ilog10() as usize + 1;
                name.push(format!("{number:0digits$}"));
            }
            (0, None) => {}
            (number, None) => name.push(number.to_string()),
        }
        PathBuf::from(name)
    }
}

/// A name with the time in it, by the clock of this machine.
fn by_time(path: &Path, now: Timestamp) -> OsString {
    let moment = Moment::from_nanosecond(i128::from(now.0)).unwrap_or_default();
    let zoned = moment.to_zoned_datetime(TimeZone::system());
    let text = path.to_str().and_then(|path| strtime::format(path, &zoned).ok());
    text.map_or_else(|| path.as_os_str().to_owned(), OsString::from)
}

/// An interface, and what the file says of it.
fn known<'a>(
    interfaces: &'a Interfaces,
    origins: &'a [String],
    id: InterfaceId,
) -> Option<(&'a Interface, &'a str)> {
    Some((interfaces.get(id)?, origins.get(usize::from(id.0))?))
}

/// A file, and how many bytes went into it.
struct Counting {
    output: BufWriter<Box<dyn Write + Send>>,
    written: Arc<AtomicU64>,
}

impl Write for Counting {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.output.write(bytes)?;
        self.written.fetch_add(written as u64, Ordering::Relaxed);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

const APPLICATION: &str = concat!("wirespan ", env!("CARGO_PKG_VERSION"));
const BUFFER: usize = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;
    use std::ops::Range;
    use wirespan_capture::packet::{Frame, InterfaceId, LinkType, PacketHead};
    use wirespan_capture::source::file::FileSource;
    use wirespan_capture::source::{Fill, PacketSource};

    /// The names of the files that are made of these packets, by their seconds, of 1000 bytes each.
    fn names(rotation: Rotation, name: &str, seconds: Range<i64>) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let mut interfaces = Interfaces::default();
        interfaces.add(Interface {
            name: "eth0".to_owned(),
            link: LinkType::ETHERNET,
            file: Default::default(),
            section: 0,
            index: 0,
            given: None,
            snaplen: 0,
            of_any: None,
        });
        let start = Timestamp(seconds.start * 1_000_000_000);
        let path = folder.path().join(name);
        let mut recorder = Recorder::create(&path, rotation, &interfaces, start).unwrap();
        for second in seconds {
            let head = PacketHead {
                at: Timestamp(second * 1_000_000_000),
                interface: InterfaceId(0),
                link: LinkType::ETHERNET,
                frame: Frame::default(),
                wire_len: 1000,
                bytes: 0..1000,
            };
            let batch = Batch { buffer: vec![0; 1000], packets: vec![head], ..Batch::default() };
            if !recorder.batch(&batch).unwrap() {
                break;
            }
        }
        recorder.finish(Timestamp(0)).unwrap();
        let mut names: Vec<String> = folder
            .path()
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_without_rotation_is_one() {
        assert_eq!(names(Rotation::default(), "x.pcapng", 0..100), ["x.pcapng"]);
    }

    #[test]
    fn full_files_are_numbered_as_tcpdump_numbers_them() {
        let rotation = Rotation { bytes: Some(3000), ..Rotation::default() };
        assert_eq!(names(rotation, "x", 0..8), ["x", "x1", "x2"]);
    }

    #[test]
    fn a_ring_of_files_is_written_over() {
        let rotation = Rotation { bytes: Some(1000), files: Some(12), ..Rotation::default() };
        let names = names(rotation, "x", 0..30);
        assert_eq!(names.len(), 12);
        assert_eq!((names[0].as_str(), names[11].as_str()), ("x00", "x11"));
    }

    #[test]
    fn files_by_time_are_named_by_it_and_end() {
        let rotation = Rotation { seconds: Some(10), files: Some(3), ..Rotation::default() };
        assert_eq!(names(rotation, "x-%s", 0..100), ["x-0", "x-10", "x-20"]);
    }

    #[test]
    fn files_by_time_and_size_bear_both() {
        let rotation = Rotation { seconds: Some(10), bytes: Some(6000), ..Rotation::default() };
        assert_eq!(names(rotation, "x-%s.", 0..20), ["x-0.", "x-0.1", "x-10.", "x-10.1"]);
    }

    #[test]
    fn files_of_a_series_number_their_interfaces_alike() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        let ethernet = |name: &str| Interface {
            name: name.to_owned(),
            link: LinkType::ETHERNET,
            file: Default::default(),
            section: 0,
            index: 0,
            given: None,
            snaplen: 0,
            of_any: None,
        };
        let mut interfaces = Interfaces::default();
        interfaces.add(ethernet("eth0"));
        let rotation = Rotation { bytes: Some(1), ..Rotation::default() };
        let mut recorder = Recorder::create(&path, rotation, &interfaces, Timestamp(0)).unwrap();
        interfaces.add(ethernet("eth1"));
        recorder.learn(&interfaces);
        for id in [1, 0, 1] {
            let head = PacketHead {
                at: Timestamp(0),
                interface: InterfaceId(id),
                link: LinkType::ETHERNET,
                frame: Frame::default(),
                wire_len: 100_000,
                bytes: 0..100_000,
            };
            let batch = Batch { buffer: vec![0; 100_000], packets: vec![head], ..Batch::default() };
            recorder.batch(&batch).unwrap();
        }
        recorder.finish(Timestamp(0)).unwrap();
        let names = |name: &str| {
            let mut source = FileSource::open(&folder.path().join(name)).unwrap();
            while source.fill(&mut Batch::default()).unwrap() != Fill::End {}
            let names = source.interfaces().iter().map(|(_, known)| known.name.clone());
            names.collect::<Vec<_>>()
        };
        assert_eq!(names("x1"), ["eth1"]);
        assert_eq!(names("x2"), ["eth1", "eth0"]);
        assert_eq!(names("x3"), ["eth1", "eth0"]);
    }
}
