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
use crate::source::alignment::{Alignment, FileClock};
use crate::source::continuity::{Head, Tail};
use crate::source::file::{CHUNK, FileSource};
use crate::source::interfaces::Interfaces;
use crate::source::open::{self, OpenError};
use crate::source::reader::{self, Reader};
use crate::source::report::{Damage, Progress, SourceReport};
use crate::source::rotation::{Evidence, Names, Rotation};
use crate::source::{Fill, PacketSource};
use foldhash::fast::FixedState;
use hashbrown::HashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::mem;
use std::path::{Path, PathBuf};

/// The packets of all files of a command line.
pub struct MergedSource {
    files: Vec<File>,
    names: Names,
    /// The next packet of each file that is open, the first one of each that is pending.
    due: BinaryHeap<Reverse<(Timestamp, usize)>>,
    interfaces: Interfaces,
    rotations: Vec<Rotation>,
    alignments: Vec<Alignment>,
    progress: Progress,
    chunk: usize,
    /// More than one file was named.
    several: bool,
    open: usize,
    /// The latest time of all packets.
    last: Timestamp,
    /// Until when was captured in the end, as files that were read to their ends say.
    until: Option<Timestamp>,
}

struct File {
    path: PathBuf,
    clock: FileClock,
    /// The place of the same file, where some of its interfaces have another clock.
    again: Option<usize>,
    state: State,
    report: SourceReport,
    /// The time of its first packet.
    first: Timestamp,
    /// The latest time of its packets, once its end was read.
    end: Option<Timestamp>,
    /// What its last packets lead to expect, once its end was read; forgotten when it is of no use.
    tail: Option<Tail>,
    /// The interfaces of it and of the files that it goes on with, by section and index.
    known: HashMap<(u32, u32), Known, FixedState>,
    /// The numbers in this file of the interfaces whose numbers here are known.
    numbers: HashMap<InterfaceId, InterfaceId, FixedState>,
    /// The file that goes on with it.
    successor: Option<usize>,
}

/// By what an interface is known again in the next file of a series.
#[derive(Clone, Debug)]
struct Known {
    link: LinkType,
    given: Option<String>,
    id: InterfaceId,
}

enum State {
    /// Not due yet; a pipe is open already, as it cannot be opened twice.
    Pending(Option<Box<Reader>>),
    /// Due, but the file that it goes on with has packets left.
    Waiting(Box<Reader>),
    Open(Box<Reader>),
    Done,
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
        Self::open_aligned(paths, chunk, Vec::new())
    }

    /// The same, and their times are set right as is said. A file whose interfaces have several
    /// clocks is read once for each.
    ///
    /// # Errors
    /// Why one of them is not a capture that can be read.
    pub fn open_aligned(
        paths: &[PathBuf],
        chunk: usize,
        alignments: Vec<Alignment>,
    ) -> Result<Self, OpenError> {
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
            alignments,
            progress: Progress::new(total),
            chunk,
            several: paths.len() > 1,
            open: 0,
            last: Timestamp(i64::MIN),
            until: None,
        };
        let clocks = |file| FileClock::of(file, &merged.alignments);
        let clocks: Vec<Vec<FileClock>> =
            (0..=u16::MAX).map(FileId).take(paths.len()).map(clocks).collect();
        let alone = clocks.iter().flatten().count() == 1;
        for ((path, file), clocks) in paths.iter().zip(0..=u16::MAX).zip(&clocks) {
            if let Some(clock) = clocks.first() {
                merged.peek(path, FileId(file), clock, None, alone)?;
            }
        }
        for ((path, file), clocks) in paths.iter().zip(0..=u16::MAX).zip(&clocks) {
            for clock in clocks.iter().skip(1) {
                merged.peek(path, FileId(file), clock, Some(usize::from(file)), false)?;
            }
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
        let mut reports: Vec<SourceReport> =
            self.files.iter().filter(|file| file.again.is_none()).map(report).collect();
        for file in &self.files {
            if let Some(first) = file.again.and_then(|first| reports.get_mut(first)) {
                first.add(&report(file));
            }
        }
        reports
    }

    /// Which files were recognised as going on with another one so far, and by what.
    pub fn rotations(&self) -> &[Rotation] {
        &self.rotations
    }

    /// Which files have clocks that are far from those of others.
    pub fn alignments(&self) -> &[Alignment] {
        &self.alignments
    }

    /// The number that an interface has in a file; none before a packet of that file was read.
    pub fn number_in(&self, file: FileId, interface: InterfaceId) -> Option<InterfaceId> {
        self.files.get(usize::from(file.0))?.numbers.get(&interface).copied()
    }

    /// Reads no more of a file than what was given.
    pub fn leave(&mut self, number: FileId) {
        for index in 0..self.files.len() {
            let Some(file) = self.files.get_mut(index).filter(|file| file.report.file == number)
            else {
                continue;
            };
            match mem::replace(&mut file.state, State::Done) {
                State::Open(reader) | State::Waiting(reader) => self.finish(index, &reader),
                State::Pending(_) | State::Done => {}
            }
        }
    }

    /// How far reading all of the files has come.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// What counts what is read of a file; what is read again of one counts as read once.
    fn progress_of(&self, again: Option<usize>) -> Progress {
        if again.is_some() { Progress::new(None) } else { self.progress.clone() }
    }

    /// Opens a file to see when its first packet is due.
    fn peek(
        &mut self,
        path: &Path,
        number: FileId,
        clock: &FileClock,
        again: Option<usize>,
        alone: bool,
    ) -> Result<(), OpenError> {
        let progress = self.progress_of(again);
        let before = progress.read();
        let source =
            FileSource::open_with(path, progress.clone())?.numbered(number).by_clock(clock.clone());
        let mut file = File {
            path: path.to_owned(),
            clock: clock.clone(),
            again,
            state: State::Done,
            report: source.report().clone(),
            first: Timestamp(i64::MIN),
            end: None,
            tail: None,
            known: HashMap::default(),
            numbers: HashMap::default(),
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
        // The standard input goes on where it was read to, also where it is a file.
        let reopen = source.is_regular() && !open::is_stdin(path);
        let chunk = if reopen { PEEK_CHUNK } else { self.chunk };
        let mut reader = Box::new(Reader::new(source.reading(chunk)));
        load_first(&mut reader);
        match reader.current.packets.first() {
            Some(packet) => {
                file.first = packet.at;
                self.due.push(Reverse((file.first, index)));
                if reopen {
                    file.state = State::Pending(None);
                    progress.take_back(progress.read() - before);
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
        let progress = self.progress_of(self.files.get(index).and_then(|file| file.again));
        let Some(file) = self.files.get_mut(index) else { return };
        let mut reader = match ready {
            Some(reader) => reader,
            None => {
                // Many files at once share the memory of a few.
                let fair = BUFFERS / (2 * (self.open + 1));
                // What a file begins with is judged by as much, however much is read later.
                let chunk = fair.clamp(HEAD_CHUNK, CHUNK);
                match FileSource::open_with(&file.path, progress) {
                    Ok(source) => {
                        let source = source.numbered(file.report.file).by_clock(file.clock.clone());
                        Box::new(Reader::new(source.reading(chunk)))
                    }
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
            load_first(&mut reader);
        }
        let fair = BUFFERS / (2 * self.open);
        reader.source.set_chunk(self.chunk.min(fair.max(PEEK_CHUNK)));
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
        if file.again.is_some() {
            return None;
        }
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
        let several = self.several;
        let same = self.files.get(index).and_then(|file| file.again).unwrap_or(index);
        let Some(file) = self.files.get_mut(same) else { return };
        for (number, local) in reader.source.interfaces().iter().skip(reader.ids.len()) {
            let place = (local.section, local.index);
            let same = |known: &&Known| known.link == local.link && known.given == local.given;
            let known = file.known.get(&place).filter(same).map(|known| known.id);
            let id = known.or_else(|| {
                let mut interface = local.clone();
                let any = local.of_any.and_then(|any| reader.ids.get(usize::from(any.0)));
                interface.of_any = any.copied().flatten();
                if several {
                    interface.name = self.interfaces.name_among(&file.path, local);
                }
                let id = self.interfaces.add(interface)?;
                file.known
                    .insert(place, Known { link: local.link, given: local.given.clone(), id });
                Some(id)
            });
            if let Some(id) = id {
                file.numbers.entry(id).or_insert(number);
            }
            reader.ids.push(id);
        }
    }

    /// Once the end of a file was read: keeps what tells whether another one goes on with it.
    fn note_end(&mut self, index: usize, reader: &mut Reader) {
        let needed = self.files.iter().any(|file| matches!(file.state, State::Pending(_)));
        if !needed {
            reader.tail = None;
        }
        let Some(file) = self.files.get_mut(index) else { return };
        if !reader.ended || file.end.is_some() {
            return;
        }
        let last = reader.source.report().last.unwrap_or(file.first);
        file.end = Some(last.max(reader.latest));
        if !needed || file.successor.is_some() || file.again.is_some() {
            return;
        }
        file.tail = reader.tail.take();
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
            reader.give_losses(&mut batch.losses);
            reader.give_names(&mut batch.names);
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
        self.until = self.until.max(reader.source.until());
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

/// Reads up to the first packet.
fn load_first(reader: &mut Reader) {
    loop {
        reader.load();
        reader.advance();
        // A file that is read for some of its interfaces may begin with packets of others.
        if !reader.current.packets.is_empty() || reader.ended || !reader.source.is_regular() {
            return;
        }
    }
}

impl PacketSource for MergedSource {
    fn fill(&mut self, batch: &mut Batch) -> io::Result<Fill> {
        batch.packets.clear();
        batch.owners.clear();
        batch.losses.clear();
        batch.names.clear();
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
            if (full || reader::is_full(batch)) && !batch.packets.is_empty() {
                break;
            }
        }
        batch.owners.sort_by_key(|told| told.frame);
        if let Some(last) = batch.packets.iter().map(|packet| packet.at).max() {
            self.last = self.last.max(last);
        }
        if !self.due.is_empty() {
            return Ok(Fill::More);
        }
        // Behind the last packet of all, nothing came for so long.
        match self.until.filter(|until| *until > self.last) {
            None => Ok(Fill::End),
            Some(_) if !batch.packets.is_empty() => Ok(Fill::More),
            Some(until) => {
                self.until = None;
                Ok(Fill::Idle(until))
            }
        }
    }

    fn interfaces(&self) -> &Interfaces {
        &self.interfaces
    }
}

impl File {
    /// Whether the interfaces that a later file begins with are of the same link types.
    fn fits(&self, later: &Reader) -> bool {
        later.source.interfaces().iter().all(|(_, interface)| {
            let known = self.known.get(&(interface.section, interface.index));
            known.is_none_or(|known| known.link == interface.link)
        })
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
/// How much at the beginning of a file shows whether it goes on with another, at least.
const HEAD_CHUNK: usize = 64 * 1024;
/// What the buffers of many files together may take, about.
const BUFFERS: usize = 64 * 1024 * 1024;
/// How many ended files are remembered in case that another one goes on with them.
const TAILS: usize = 64;
/// How much two files of a series may overlap, at most.
const OVERLAP_NANOS: i64 = 10_000_000;
