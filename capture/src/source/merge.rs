//! Any number of capture files in, their packets in the order of time out.
//!
//! Each file keeps its own order, also where its times go backwards: it counts with the latest
//! time so far. Equal times come in the order of the command line. A file is opened when its first
//! packet is due, so that files which follow one another are not all open at once; that is also
//! when it is decided whether it goes on with a file that has ended ([`crate::source::rotation`]).
//!
//! ```text
//!            first packet due          last packet given
//!  Pending ──────────┬───────▶ Open ─────────┬────────▶ Done
//!                    │           ▲           │ the file that goes on with it
//!                    └─▶ Waiting ┴───────────┘
//! ```

use crate::packet::{Batch, FileId, InterfaceId, LinkType, Timestamp};
use crate::source::continuity::{Head, Tail};
use crate::source::file::{self, CHUNK, FileSource};
use crate::source::interfaces::{Interface, Interfaces};
use crate::source::open::{self, OpenError};
use crate::source::report::{Damage, Progress, SourceReport};
use crate::source::rotation::{Evidence, Names, Rotation};
use crate::source::{Fill, PacketSource};
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::io;
use std::mem;
use std::path::PathBuf;

/// The packets of all files of a command line.
pub struct MergedSource {
    files: Vec<File>,
    names: Names,
    /// The next packet of each file that is open, the first one of each that is pending.
    due: BinaryHeap<Reverse<(Timestamp, usize)>>,
    interfaces: Interfaces,
    rotations: Vec<Rotation>,
    progress: Progress,
    chunk: usize,
    open: usize,
}

struct File {
    path: PathBuf,
    label: String,
    state: State,
    report: SourceReport,
    /// The time of its first packet.
    first: Timestamp,
    /// The latest time of its packets, once its end was read.
    end: Option<Timestamp>,
    /// What its last packets lead to expect, once its end was read; forgotten when it is of no use.
    tail: Option<Tail>,
    /// The interfaces of it and of the files that it goes on with.
    known: Vec<(InterfaceKey, InterfaceId)>,
    /// The file that goes on with it.
    successor: Option<usize>,
}

/// By what an interface is known again in the next file of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
struct InterfaceKey {
    section: u32,
    index: u32,
    link: LinkType,
    given: Option<String>,
}

enum State {
    /// Not due yet; a pipe is open already, as it cannot be opened twice.
    Pending(Option<Box<Reader>>),
    /// Due, but the file that it goes on with has packets left.
    Waiting(Box<Reader>),
    Open(Box<Reader>),
    Done,
}

/// An open file, read one batch ahead so that its end is known before it is reached.
struct Reader {
    source: FileSource,
    current: Batch,
    at: usize,
    ahead: Batch,
    /// Whether `ahead` holds what comes after `current`.
    has_ahead: bool,
    ended: bool,
    /// The latest time of the packets that were given.
    latest: Timestamp,
    /// The number here of each interface of the file; `None` where there are too many.
    ids: Vec<Option<InterfaceId>>,
}

impl MergedSource {
    /// Looks at the first packet of each file; `-` is the standard input.
    ///
    /// # Errors
    /// Why one of them is not a capture that can be read.
    pub fn open(paths: &[PathBuf]) -> Result<Self, OpenError> {
        Self::open_reading(paths, CHUNK)
    }

    /// Opens files of which at most `chunk` bytes are read at once; the packets and their order
    /// are the same whatever it is.
    ///
    /// # Errors
    /// Why one of them is not a capture that can be read.
    pub fn open_reading(paths: &[PathBuf], chunk: usize) -> Result<Self, OpenError> {
        if let Some(path) = paths.get(usize::from(u16::MAX)) {
            return Err(OpenError::TooMany { file: open::display_name(path) });
        }
        let total = paths.iter().map(|path| open::length(path)).sum();
        let mut merged = Self {
            files: Vec::new(),
            names: Names::new(paths),
            due: BinaryHeap::new(),
            interfaces: Interfaces::default(),
            rotations: Vec::new(),
            progress: Progress::new(total),
            chunk,
            open: 0,
        };
        let mut labels = BTreeSet::new();
        for (path, file) in paths.iter().zip(0..=u16::MAX) {
            let mut label = file::label(path);
            if !labels.insert(label.clone()) {
                label = path.display().to_string();
            }
            merged.peek(path, FileId(file), label, paths.len() == 1)?;
        }
        Ok(merged)
    }

    /// What each file held, as far as it has been read, in the order of the command line.
    pub fn reports(&self) -> Vec<SourceReport> {
        let report = |file: &File| match &file.state {
            State::Done | State::Pending(None) => file.report.clone(),
            State::Pending(Some(reader)) | State::Waiting(reader) | State::Open(reader) => {
                reader.report()
            }
        };
        self.files.iter().map(report).collect()
    }

    /// Which files were recognised as going on with another one so far, and by what.
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }

    /// How far reading all of the files has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// Opens a file to see when its first packet is due.
    fn peek(
        &mut self,
        path: &PathBuf,
        number: FileId,
        label: String,
        alone: bool,
    ) -> Result<(), OpenError> {
        let before = self.progress.read();
        let source = FileSource::open_with(path, self.progress.clone())?
            .numbered(number)
            .labelled(&label);
        let mut file = File {
            path: path.clone(),
            label,
            state: State::Done,
            report: source.report().clone(),
            first: Timestamp(i64::MIN),
            end: None,
            tail: None,
            known: Vec::new(),
            successor: None,
        };
        let index = self.files.len();
        if alone {
            // Nothing to wait for: what a pipe has is given as it comes.
            file.state = State::Pending(Some(Box::new(Reader::new(source.reading(self.chunk)))));
            self.due.push(Reverse((file.first, index)));
            self.files.push(file);
            return Ok(());
        }
        let reopen = source.is_regular();
        let chunk = if reopen { PEEK_CHUNK } else { self.chunk };
        let mut reader = Box::new(Reader::new(source.reading(chunk)));
        reader.load();
        reader.advance();
        match reader.current.packets.first() {
            Some(packet) => {
                file.first = packet.at;
                self.due.push(Reverse((file.first, index)));
                if reopen {
                    file.state = State::Pending(None);
                    self.progress.take_back(self.progress.read() - before);
                } else {
                    file.state = State::Pending(Some(reader));
                }
            }
            None => file.report = reader.report(),
        }
        self.files.push(file);
        Ok(())
    }

    /// Opens a file whose first packet is due, or lets it wait for the one that it goes on with.
    fn begin(&mut self, index: usize, ready: Option<Box<Reader>>) {
        let Some(file) = self.files.get_mut(index) else { return };
        let mut reader = match ready {
            Some(reader) => reader,
            None => {
                // Many files at once share the memory of a few.
                let fair = BUFFERS / (2 * (self.open + 1));
                let chunk = self.chunk.min(fair.max(PEEK_CHUNK));
                match FileSource::open_with(&file.path, self.progress.clone()) {
                    Ok(source) => Box::new(Reader::new(
                        source.numbered(file.report.file).labelled(&file.label).reading(chunk),
                    )),
                    Err(error) => {
                        let reason = error.to_string();
                        file.report.hurt(Damage::Unreadable { offset: 0, reason });
                        file.state = State::Done;
                        return;
                    }
                }
            }
        };
        self.open += 1;
        if reader.current.packets.is_empty() {
            reader.load();
            reader.advance();
        }
        reader.latest = file.first;
        let earlier = self.predecessor(index, &reader);
        let mut waits = false;
        if let Some((earlier, evidence)) = earlier {
            self.link(earlier, index, evidence);
            let Some(before) = self.files.get_mut(earlier) else { return };
            before.successor = Some(index);
            before.tail = None;
            waits = !matches!(before.state, State::Done);
            reader.latest = reader.latest.max(before.end.unwrap_or(reader.latest));
        }
        self.number_interfaces(index, &mut reader);
        if reader.source.is_regular() {
            reader.load();
            self.number_interfaces(index, &mut reader);
        }
        self.note_end(index, &mut reader);
        let Some(file) = self.files.get_mut(index) else { return };
        if waits {
            file.state = State::Waiting(reader);
        } else {
            self.due.push(Reverse((reader.key(), index)));
            file.state = State::Open(reader);
        }
    }

    /// The file that this one goes on with, and what says so.
    fn predecessor(&self, index: usize, reader: &Reader) -> Option<(usize, Evidence)> {
        let file = self.files.get(index)?;
        let head = Head::of(&reader.current);
        // What is best so far: by names before by sequence, then the better agreement, then the
        // later end, then the place on the command line.
        let mut best: Option<((usize, Timestamp, usize), Evidence)> = None;
        for (other, before) in self.files.iter().enumerate() {
            let (Some(end), Some(tail), None) = (before.end, &before.tail, before.successor) else {
                continue;
            };
            if !follows(before.first, end, file.first) || !before.fits(reader) {
                continue;
            }
            let names = self.names.follow((other, before.first), (index, file.first));
            let (worth, evidence) = if let Some(shape) = names {
                (usize::MAX, Evidence::Names(shape))
            } else {
                let agreement = tail.goes_on_in(&head);
                let (continuing, contradicting) = (agreement.continuing, agreement.contradicting);
                if continuing <= contradicting {
                    continue;
                }
                (continuing - contradicting, Evidence::Sequence { continuing, contradicting })
            };
            let worth = (worth, end, usize::MAX - other);
            if best.as_ref().is_none_or(|(known, _)| worth > *known) {
                best = Some((worth, evidence));
            }
        }
        best.map(|((_, _, place), evidence)| (usize::MAX - place, evidence))
    }

    fn link(&mut self, earlier: usize, later: usize, evidence: Evidence) {
        let Some(before) = self.files.get(earlier) else { return };
        let known = before.known.clone();
        let (earlier, earlier_name) = (before.report.file, before.report.name.clone());
        let Some(after) = self.files.get_mut(later) else { return };
        after.known = known;
        self.rotations.push(Rotation {
            earlier,
            earlier_name,
            later: after.report.file,
            later_name: after.report.name.clone(),
            evidence,
        });
    }

    /// Numbers the interfaces that a file has named since, and those of the packets read ahead.
    fn number_interfaces(&mut self, index: usize, reader: &mut Reader) {
        let several = self.files.len() > 1;
        let Some(file) = self.files.get_mut(index) else { return };
        for (_, local) in reader.source.interfaces().iter().skip(reader.ids.len()) {
            let key = InterfaceKey::of(local);
            let known = file.known.iter().find(|(known, _)| *known == key).map(|(_, id)| *id);
            let id = known.or_else(|| {
                let mut interface = local.clone();
                if let (Some(given), true) = (&local.given, several) {
                    interface.name = format!("{}:{given}", file.label);
                }
                let id = self.interfaces.add(interface)?;
                file.known.push((key, id));
                Some(id)
            });
            reader.ids.push(id);
        }
    }

    /// Once the end of a file was read: keeps what tells whether another one goes on with it.
    fn note_end(&mut self, index: usize, reader: &mut Reader) {
        let needed = self.files.iter().any(|file| matches!(file.state, State::Pending(_)));
        let Some(file) = self.files.get_mut(index) else { return };
        if !reader.ended || file.end.is_some() {
            return;
        }
        let last = reader.source.report().last.unwrap_or(file.first);
        file.end = Some(last.max(reader.latest));
        if !needed || file.successor.is_some() {
            return;
        }
        file.tail = Some(Tail::of([&reader.current, &reader.ahead]));
        // Of many files that ended, only the last ones can be gone on with.
        let kept: Vec<(Timestamp, usize)> = self
            .files
            .iter()
            .enumerate()
            .filter(|(_, file)| file.tail.is_some())
            .filter_map(|(index, file)| Some((file.end?, index)))
            .collect();
        if kept.len() > TAILS
            && let Some((_, oldest)) = kept.into_iter().min()
            && let Some(file) = self.files.get_mut(oldest)
        {
            file.tail = None;
        }
    }

    /// Gives packets of one file up to `limit`, the next packet of the other ones; whether there
    /// may be more of it.
    fn give(
        &mut self,
        index: usize,
        reader: &mut Reader,
        limit: Option<(Timestamp, usize)>,
        batch: &mut Batch,
    ) -> bool {
        loop {
            if reader.give_all(index, limit, batch) || reader.give_some(index, limit, batch) {
                return true;
            }
            // The current batch is used up.
            if !reader.has_ahead {
                if reader.ended {
                    return false;
                }
                if !batch.packets.is_empty() && reader.would_wait() {
                    return true;
                }
                reader.load();
                self.number_interfaces(index, reader);
                self.note_end(index, reader);
            }
            reader.advance();
            if reader.source.is_regular() {
                reader.load();
                self.number_interfaces(index, reader);
                self.note_end(index, reader);
            }
        }
    }

    fn finish(&mut self, index: usize, reader: &Reader) {
        self.open -= 1;
        let Some(file) = self.files.get_mut(index) else { return };
        file.report = reader.report();
        let Some(successor) = file.successor else { return };
        let end = file.end;
        let Some(next) = self.files.get_mut(successor) else { return };
        match mem::replace(&mut next.state, State::Done) {
            State::Waiting(mut reader) => {
                reader.latest = reader.latest.max(end.unwrap_or(reader.latest));
                self.due.push(Reverse((reader.key(), successor)));
                next.state = State::Open(reader);
            }
            other => next.state = other,
        }
    }
}

impl PacketSource for MergedSource {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        batch.packets.clear();
        let alone = self.files.len() == 1;
        if !alone {
            batch.buffer.clear();
        }
        while let Some(Reverse((_, index))) = self.due.pop() {
            let Some(file) = self.files.get_mut(index) else { continue };
            let mut reader = match mem::replace(&mut file.state, State::Done) {
                State::Pending(Some(mut reader)) if alone => {
                    // A single file needs no merging, and nothing read ahead.
                    let fill = reader.source.fill(batch)?;
                    self.number_interfaces(index, &mut reader);
                    if fill == Fill::End {
                        self.open += 1;
                        self.finish(index, &reader);
                    } else if let Some(file) = self.files.get_mut(index) {
                        file.state = State::Pending(Some(reader));
                        self.due.push(Reverse((Timestamp(i64::MIN), index)));
                    }
                    return Ok(fill);
                }
                State::Pending(ready) => {
                    self.begin(index, ready);
                    continue;
                }
                State::Open(reader) => reader,
                State::Waiting(_) | State::Done => continue,
            };
            let limit = self.due.peek().map(|Reverse(next)| *next);
            let mut full = false;
            if !self.give(index, &mut reader, limit, batch) {
                self.finish(index, &reader);
            } else if let Some(file) = self.files.get_mut(index) {
                // A pipe may keep the other files waiting, but not what has come already.
                full = reader.would_wait();
                self.due.push(Reverse((reader.key(), index)));
                file.state = State::Open(reader);
            }
            full |= batch.packets.len() >= BATCH_PACKETS || batch.buffer.len() >= CHUNK;
            if full && !batch.packets.is_empty() {
                break;
            }
        }
        Ok(if self.due.is_empty() { Fill::End } else { Fill::More })
    }

    fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }
}

impl File {
    /// Whether the interfaces that a later file begins with are of the same link types.
    fn fits(&self, later: &Reader) -> bool {
        later.source.interfaces().iter().all(|(_, interface)| {
            let key = InterfaceKey::of(interface);
            self.known.iter().all(|(known, _)| {
                (known.section, known.index) != (key.section, key.index) || known.link == key.link
            })
        })
    }
}

impl InterfaceKey {
    fn of(interface: &Interface) -> Self {
        Self {
            section: interface.section,
            index: interface.index,
            link: interface.link,
            given: interface.given.clone(),
        }
    }
}

impl Reader {
    fn new(source: FileSource) -> Self {
        Self {
            source,
            current: Batch::default(),
            at: 0,
            ahead: Batch::default(),
            has_ahead: false,
            ended: false,
            latest: Timestamp(i64::MIN),
            ids: Vec::new(),
        }
    }

    /// Reads the batch after the current one.
    fn load(&mut self) {
        if self.ended || self.has_ahead {
            return;
        }
        self.has_ahead = true;
        // A file source turns what the operating system says into damage of its report.
        self.ended = !matches!(self.source.fill(&mut self.ahead), Ok(Fill::More));
    }

    /// Goes on to the batch that was read ahead.
    fn advance(&mut self) {
        mem::swap(&mut self.current, &mut self.ahead);
        self.at = 0;
        self.has_ahead = false;
    }

    /// Gives the whole current batch without copying it, if nothing stands in the way.
    fn give_all(
        &mut self,
        index: usize,
        limit: Option<(Timestamp, usize)>,
        batch: &mut Batch,
    ) -> bool {
        if self.at > 0 || !batch.packets.is_empty() || self.current.packets.is_empty() {
            return false;
        }
        // The tail of a pipe is still needed when its end is read.
        if !self.source.is_regular() {
            return false;
        }
        let latest = self.current.packets.iter().fold(self.latest, |time, next| time.max(next.at));
        if limit.is_some_and(|limit| (latest, index) > limit) {
            return false;
        }
        self.latest = latest;
        mem::swap(&mut self.current, batch);
        self.current.packets.clear();
        let ids = &self.ids;
        batch.packets.retain_mut(|packet| match ids.get(usize::from(packet.interface.0)) {
            Some(Some(id)) => {
                packet.interface = *id;
                true
            }
            _ => false,
        });
        !batch.packets.is_empty()
    }

    /// Copies packets from the current batch; whether the limit was reached before its end.
    fn give_some(
        &mut self,
        index: usize,
        limit: Option<(Timestamp, usize)>,
        batch: &mut Batch,
    ) -> bool {
        while let Some(packet) = self.current.packets.get(self.at) {
            let key = self.latest.max(packet.at);
            if limit.is_some_and(|limit| (key, index) > limit)
                || batch.packets.len() >= BATCH_PACKETS
                || batch.buffer.len() >= CHUNK
            {
                return true;
            }
            self.latest = key;
            self.at += 1;
            let Some(Some(interface)) = self.ids.get(usize::from(packet.interface.0)) else {
                continue;
            };
            let mut head = packet.clone();
            head.interface = *interface;
            let start = batch.buffer.len();
            batch.buffer.extend_from_slice(self.current.bytes(packet));
            head.bytes = start..batch.buffer.len();
            batch.packets.push(head);
        }
        false
    }

    /// Whether the next packet may be long in coming.
    fn would_wait(&self) -> bool {
        let used_up = self.at >= self.current.packets.len();
        used_up && !self.has_ahead && !self.ended && !self.source.is_regular()
    }

    /// The time with which the next packet counts.
    fn key(&self) -> Timestamp {
        let next = self.current.packets.get(self.at);
        next.map_or(self.latest, |packet| packet.at.max(self.latest))
    }

    fn report(&self) -> SourceReport {
        let mut report = self.source.report().clone();
        report.interfaces = self.ids.iter().flatten().copied().collect();
        report
    }
}

/// Whether a file that begins at `begin` does not overlap one with these first and last times.
///
/// Processors that stamp packets do not agree to the microsecond, so a little is forgiven.
fn follows(first: Timestamp, last: Timestamp, begin: Timestamp) -> bool {
    let span = last.0.saturating_sub(first.0);
    last.0.saturating_sub(begin.0) <= (span / 100).min(OVERLAP_NANOS)
}

/// How much is read to see a file's first packet.
const PEEK_CHUNK: usize = 16 * 1024;
/// What the buffers of many files together may take, about.
const BUFFERS: usize = 64 * 1024 * 1024;
/// How many packets a merged batch holds at most.
const BATCH_PACKETS: usize = 8_192;
/// How many ended files are remembered in case that another one goes on with them.
const TAILS: usize = 64;
/// How much two files of a series may overlap, at most.
const OVERLAP_NANOS: i64 = 10_000_000;
